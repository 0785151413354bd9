//! What is on the wire: numbers, headers, and the small messages of channel 0.

pub mod channel;
pub mod code;
pub mod control;
pub mod flags;
pub mod framer;
pub mod header;
pub mod notice;
pub mod packet_type;
pub mod role;
pub mod table;
pub mod tag;
pub mod tsd;

pub use channel::{ChannelId, ChannelType};
pub use code::Code;
pub use control::{Control, OpenOptions};
pub use flags::Flags;
pub use framer::{FrameError, Framer};
pub use header::{HEADER_LEN, Header};
pub use notice::{Echo, Notice};
pub use packet_type::PacketType;
pub use role::Role;
pub use tsd::{Sections, Tsd, TsdError, TsdWriter};
