//! Types of TSD sections. One number has one meaning on every channel.

/// Text for people, UTF-8.
pub const TEXT: u16 = 0x0001;

/// Version of the protocol, `u8`.
pub const VERSION: u16 = 0x0010;
/// 32 random bytes.
pub const RANDOM: u16 = 0x0011;
/// X25519 public key, 32 bytes.
pub const X25519: u16 = 0x0012;
/// ML-KEM-768 encapsulation key, 1,184 bytes.
pub const ML_KEM_KEY: u16 = 0x0013;
/// ML-KEM-768 ciphertext, 1,088 bytes.
pub const ML_KEM_CIPHERTEXT: u16 = 0x0014;
/// What the dialer wants of secrecy, `u8`: 0 the transport is secret, 1 seal every packet.
pub const SECRECY: u16 = 0x0015;
/// Ed25519 public key of a member, 32 bytes.
pub const MEMBER_KEY: u16 = 0x0016;
/// Role bits, `u16`.
pub const ROLE: u16 = 0x0017;
/// What an issuer wrote about a member or a feed: opaque here.
pub const GRANT: u16 = 0x0018;
/// Ed25519 signature of the handshake, 64 bytes.
pub const SIGNATURE: u16 = 0x0019;
/// HMAC-SHA-256 that shows possession of the session keys, 32 bytes.
pub const FINISHED: u16 = 0x001a;

/// What a session authenticates with: opaque here.
pub const CREDENTIALS: u16 = 0x0030;
/// Content id, UTF-8.
pub const CONTENT_ID: u16 = 0x0031;
/// Content type: see `avrs::ContentKind`.
pub const CONTENT_KIND: u16 = 0x0032;
/// Position in the content, `u64`, microseconds.
pub const POSITION: u16 = 0x0033;
/// Name of the wanted rendition, UTF-8; none: automatic.
pub const QUALITY: u16 = 0x0034;
/// Content channel of the session, `u16`.
pub const CHANNEL: u16 = 0x0035;
/// Stream id given by the origin, `u64`.
pub const STREAM: u16 = 0x0036;
/// Direction, `u8`: 0 watch, 1 publish.
pub const DIRECTION: u16 = 0x0037;
/// Where to begin, `u8`: 0 live edge, 1 cached random access point, 2 next random access point.
pub const JOIN: u16 = 0x0038;
/// Statistics of a session.
pub const STATISTICS: u16 = 0x0039;
/// Through which clusters a request went, and content comes: see `avrs::Way`.
pub const WAY: u16 = 0x003a;

/// One member: sections inside.
pub const MEMBER: u16 = 0x0050;
/// Address `host:port`, UTF-8.
pub const ADDRESS: u16 = 0x0051;
/// Path of a stream, UTF-8.
pub const PATH: u16 = 0x0052;
/// UID of a feed, UTF-8.
pub const FEED_UID: u16 = 0x0053;
/// Epoch, `u64`.
pub const EPOCH: u16 = 0x0054;
/// Load: see `avrs::Load`.
pub const LOAD: u16 = 0x0055;
/// Who may watch a path, `u8`: 0 anybody, 1 the owner is to be asked.
pub const ACCESS: u16 = 0x0056;
/// Content type of a stream, UTF-8.
pub const CONTENT_TYPE: u16 = 0x0057;
/// What a request that is passed on to the owner has to show, UTF-8.
pub const RELAY: u16 = 0x0058;

/// Generation of a content packet: epoch `u64`, run `u64`.
pub const GENERATION: u16 = 0x0070;
/// Time of a content packet, `u64`, microseconds.
pub const TIMESTAMP: u16 = 0x0071;
/// Number of a content packet in its stream, `u64`.
pub const ITEM: u16 = 0x0072;
/// Signature of a content packet: key 32 bytes, signature 64 bytes. Always the last section.
pub const CONTENT_SIGN: u16 = 0x007f;

/// Link quality as the receiver sees it: see `avrs::Quality`.
pub const LINK_QUALITY: u16 = 0x0090;
/// `name=value`, UTF-8.
pub const METADATA: u16 = 0x0091;
