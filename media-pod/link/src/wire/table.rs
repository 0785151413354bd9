//! Every number of the two documents beside its name there and its name here.

use super::{ChannelType, Code, Flags, PacketType, Role};
use crate::KEEPALIVE_TIMEOUT;

/// Which family of numbers an [`Entry`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Channel types.
    Channel,
    /// Packet types.
    Packet,
    /// Packet flags.
    Flag,
    /// Role bits.
    Role,
    /// Return codes.
    Code,
    /// Seconds.
    Time,
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Family.
    pub family: Family,
    /// Name in the documents, in their spelling.
    pub document: &'static str,
    /// Name in this crate.
    pub here: &'static str,
    /// The number.
    pub number: u32,
}

const fn entry(family: Family, document: &'static str, here: &'static str, number: u32) -> Entry {
    Entry { family, document, here, number }
}

const fn channel(document: &'static str, here: &'static str, kind: ChannelType) -> Entry {
    entry(Family::Channel, document, here, kind.0 as u32)
}

const fn packet(document: &'static str, here: &'static str, kind: PacketType) -> Entry {
    entry(Family::Packet, document, here, kind as u32)
}

const fn flag(document: &'static str, here: &'static str, flags: Flags) -> Entry {
    entry(Family::Flag, document, here, flags.0 as u32)
}

const fn role(document: &'static str, here: &'static str, role: Role) -> Entry {
    entry(Family::Role, document, here, role.0 as u32)
}

const fn code(document: &'static str, here: &'static str, code: Code) -> Entry {
    entry(Family::Code, document, here, code.0)
}

/// All of them.
pub const TABLE: &[Entry] = &[
    channel("DAP_STREAM_CH_ID_CONTROL", "ChannelType::CONTROL", ChannelType::CONTROL),
    channel("DAP_STREAM_CH_ID_FILE", "ChannelType::FILE", ChannelType::FILE),
    channel("DAP_STREAM_CH_ID_SERVICE", "ChannelType::SERVICE", ChannelType::SERVICE),
    channel("DAP_STREAM_CH_ID_SECURITY", "ChannelType::SECURITY", ChannelType::SECURITY),
    channel("DAP_STREAM_CH_ID_MEDIA", "ChannelType::MEDIA", ChannelType::MEDIA),
    channel("DAP_STREAM_CH_ID_CUSTOM", "ChannelType::CUSTOM", ChannelType::CUSTOM),
    channel("DAP_AVRS$K_CH_SIGNAL", "ChannelType::SIGNAL", ChannelType::SIGNAL),
    channel("DAP_AVRS$K_CH_RETCODE", "ChannelType::RETCODE", ChannelType::RETCODE),
    channel("DAP_AVRS$K_CH_CLUSTER", "ChannelType::CLUSTER", ChannelType::CLUSTER),
    channel("DAP_AVRS$K_CH_CONTENT", "ChannelType::CONTENT", ChannelType::CONTENT),
    channel("DAP_AVRS$K_CH_SESSION", "ChannelType::SESSION", ChannelType::SESSION),
    packet("DAP_STREAM_PKT_TYPE_DATA", "PacketType::Data", PacketType::Data),
    packet("DAP_STREAM_PKT_TYPE_CONTROL", "PacketType::Control", PacketType::Control),
    packet("DAP_STREAM_PKT_TYPE_KEEPALIVE", "PacketType::Keepalive", PacketType::Keepalive),
    packet("DAP_STREAM_PKT_TYPE_CLOSE", "PacketType::Close", PacketType::Close),
    packet("DAP_STREAM_PKT_TYPE_ERROR", "PacketType::Error", PacketType::Error),
    flag("DAP_STREAM_PKT_FLAG_COMPRESSED", "Flags::COMPRESSED", Flags::COMPRESSED),
    flag("DAP_STREAM_PKT_FLAG_ENCRYPTED", "Flags::ENCRYPTED", Flags::ENCRYPTED),
    flag("DAP_STREAM_PKT_FLAG_FRAGMENTED", "Flags::FRAGMENTED", Flags::FRAGMENTED),
    entry(Family::Time, "STREAM_KEEPALIVE_TIMEOUT", "KEEPALIVE_TIMEOUT", KEEPALIVE_TIMEOUT.as_secs() as u32),
    role("AVRS_ROLE_CLIENT", "Role::CLIENT", Role::CLIENT),
    role("AVRS_ROLE_HOST", "Role::HOST", Role::HOST),
    role("AVRS_ROLE_OPERATOR", "Role::OPERATOR", Role::OPERATOR),
    role("AVRS_ROLE_SERVER", "Role::SERVER", Role::SERVER),
    role("AVRS_ROLE_BALANCER", "Role::BALANCER", Role::BALANCER),
    role("AVRS_ROLE_ALL", "Role::ALL", Role::ALL),
    code("AVRS_SUCCESS", "Code::SUCCESS", Code::SUCCESS),
    code("AVRS_ERROR_ARG_INCORRECT", "Code::ARG_INCORRECT", Code::ARG_INCORRECT),
    code("AVRS_ERROR_SIGN_NOT_PRESENT", "Code::SIGN_NOT_PRESENT", Code::SIGN_NOT_PRESENT),
    code("AVRS_ERROR_SIGN_INCORRECT", "Code::SIGN_INCORRECT", Code::SIGN_INCORRECT),
    code("AVRS_ERROR_SIGN_ALIEN", "Code::SIGN_ALIEN", Code::SIGN_ALIEN),
    code("AVRS_ERROR_CLUSTER_WRONG_REQUEST", "Code::CLUSTER_WRONG_REQUEST", Code::CLUSTER_WRONG_REQUEST),
    code("AVRS_ERROR_CLUSTER_NOT_FOUND", "Code::CLUSTER_NOT_FOUND", Code::CLUSTER_NOT_FOUND),
    // The document's spelling.
    code("AVRS_ERROR_CONTENT_UNAVAILBLE", "Code::CONTENT_UNAVAILABLE", Code::CONTENT_UNAVAILABLE),
    code("AVRS_ERROR_CONTENT_NOT_FOUND", "Code::CONTENT_NOT_FOUND", Code::CONTENT_NOT_FOUND),
    code("AVRS_ERROR_CONTENT_INFO_CORRUPTED", "Code::CONTENT_INFO_CORRUPTED", Code::CONTENT_INFO_CORRUPTED),
    code("AVRS_ERROR_CONTENT_CORRUPTED", "Code::CONTENT_CORRUPTED", Code::CONTENT_CORRUPTED),
    code("AVRS_ERROR_CONTENT_FLOW_WRONG_ID", "Code::CONTENT_FLOW_WRONG_ID", Code::CONTENT_FLOW_WRONG_ID),
    code("AVRS_ERROR_MEMBER_NOT_FOUND", "Code::MEMBER_NOT_FOUND", Code::MEMBER_NOT_FOUND),
    code("AVRS_ERROR_MEMBER_SECURITY_ISSUE", "Code::MEMBER_SECURITY_ISSUE", Code::MEMBER_SECURITY_ISSUE),
    code("AVRS_ERROR_MEMBER_INFO_PROBLEM", "Code::MEMBER_INFO_PROBLEM", Code::MEMBER_INFO_PROBLEM),
    code("AVRS_ERROR_SESSION_WRONG_REQUEST", "Code::SESSION_WRONG_REQUEST", Code::SESSION_WRONG_REQUEST),
    code("AVRS_ERROR_SESSION_NOT_OPENED", "Code::SESSION_NOT_OPENED", Code::SESSION_NOT_OPENED),
    code("AVRS_ERROR_SESSION_ALREADY_OPENED", "Code::SESSION_ALREADY_OPENED", Code::SESSION_ALREADY_OPENED),
    code(
        "AVRS_ERROR_SESSION_CONTENT_ID_WRONG",
        "Code::SESSION_CONTENT_ID_WRONG",
        Code::SESSION_CONTENT_ID_WRONG,
    ),
    code("AVRS_ERROR", "Code::ERROR", Code::ERROR),
];

/// The return codes among them.
pub fn codes() -> impl Iterator<Item = &'static Entry> {
    TABLE.iter().filter(|entry| entry.family == Family::Code)
}
