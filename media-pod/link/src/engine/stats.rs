//! Numbers to look at.

/// Numbers of a link (`dap_stream_stats`, and loss and jitter).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkStats {
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes sent, headers included.
    pub bytes_sent: u64,
    /// Bytes received, headers included.
    pub bytes_received: u64,
    /// Channels that are open.
    pub active_channels: u32,
    /// Average time there and back, milliseconds.
    pub avg_latency: f64,
    /// How much that time varies, milliseconds.
    pub jitter: f64,
    /// Packets whose numbers were skipped.
    pub lost: u64,
    /// Packets whose numbers had been there.
    pub replayed: u64,
    /// Messages of which a piece was missing.
    pub aborted: u64,
    /// ERROR packets sent.
    pub complaints: u64,
}

/// Numbers of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelStats {
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes sent, headers included.
    pub bytes_sent: u64,
    /// Bytes received, headers included.
    pub bytes_received: u64,
    /// Packets whose numbers were skipped.
    pub lost: u64,
    /// Messages sent before compression, bytes.
    pub plain_sent: u64,
    /// Messages that were sent compressed.
    pub compressed: u64,
}
