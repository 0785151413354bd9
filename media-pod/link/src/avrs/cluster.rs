//! Messages on channel `C`.

use bytes::Bytes;

use super::message::Request;
use super::rights::{ClusterOp, may};
use crate::secure::MemberId;
use crate::wire::{Code, Role, Sections, TsdWriter, tag};

/// Bytes of a path, an address or a UID at most.
pub const MAX_NAME: usize = 1024;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its key.
    pub id: MemberId,
    /// What it is.
    pub role: Role,
    /// Where it is, `host:port`.
    pub address: String,
}

/// A server has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Path of the stream.
    pub path: String,
    /// UID of the feed it comes from.
    pub feed_uid: String,
    /// Epoch of the owner.
    pub epoch: u64,
    /// What the issuer of epochs wrote: opaque here.
    pub grant: Bytes,
    /// Stream id in its content packets.
    pub stream: u64,
    /// How it is served.
    pub serving: Serving,
}

/// How a path is served. All of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Whether the server is to be asked who may watch; else anybody may.
    pub ask: bool,
    /// The content type, where it is known.
    pub content_type: Option<String>,
    /// Where the server answers requests for what is no stream, `host:port`, plain HTTP.
    pub address: Option<String>,
    /// What such a request has to show.
    pub relay: Option<String>,
}

impl Serving {
    fn encode(&self, out: TsdWriter) -> TsdWriter {
        out.with(tag::ACCESS, &[u8::from(self.ask)])
            .with_some(tag::CONTENT_TYPE, self.content_type.as_deref())
            .with_some(tag::ADDRESS, self.address.as_deref())
            .with_some(tag::RELAY, self.relay.as_deref())
    }

    /// Whatever is not understood as anybody's is to be asked about.
    fn decode(args: &Sections) -> Self {
        Self {
            ask: args.get(tag::ACCESS).is_some_and(|access| access[..] != [0]),
            content_type: name(args, tag::CONTENT_TYPE),
            address: name(args, tag::ADDRESS),
            relay: name(args, tag::RELAY),
        }
    }
}

/// How busy a member is. Wire: sessions `u32`, capacity `u32`, bytes per second `u64`, CPU `u16` in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sessions that are open.
    pub sessions: u32,
    /// Sessions that it would take.
    pub capacity: u32,
    /// Bytes that it sends per second.
    pub bytes_per_second: u64,
    /// How much of its CPU is used, thousandths.
    pub cpu: u16,
}

/// What a member asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterMessage {
    /// A new member.
    AddMember(Member),
    /// A member less.
    RemoveMember(MemberId),
    /// Who is there: the answer's results are [`tag::MEMBER`] sections.
    ListMembers,
    /// A server has a path.
    Announce(Announcement),
    /// A server no longer has this path in this epoch.
    Withdraw {
        /// Path.
        path: String,
        /// Epoch.
        epoch: u64,
    },
    /// How busy the sender is.
    ReportLoad(Load),
    /// For this path, go to this address.
    Redirect {
        /// Path.
        path: String,
        /// Address, `host:port`.
        address: String,
    },
    /// Take nothing new and let go of what is there.
    Drain,
}

impl Load {
    /// The 18 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(18);
        out.extend_from_slice(&self.sessions.to_le_bytes());
        out.extend_from_slice(&self.capacity.to_le_bytes());
        out.extend_from_slice(&self.bytes_per_second.to_le_bytes());
        out.extend_from_slice(&self.cpu.to_le_bytes());
        out
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (sessions, rest) = bytes.split_first_chunk()?;
        let (capacity, rest) = rest.split_first_chunk()?;
        let (rate, rest) = rest.split_first_chunk()?;
        Some(Self {
            sessions: u32::from_le_bytes(*sessions),
            capacity: u32::from_le_bytes(*capacity),
            bytes_per_second: u64::from_le_bytes(*rate),
            cpu: u16::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

impl Member {
    /// Its sections.
    pub fn encode(&self) -> TsdWriter {
        TsdWriter::new()
            .with(tag::MEMBER_KEY, &self.id.0)
            .with(tag::ROLE, &self.role.0.to_le_bytes())
            .with(tag::ADDRESS, self.address.as_bytes())
    }

    /// Reads its sections.
    pub fn decode(sections: &Sections) -> Option<Self> {
        Some(Self {
            id: MemberId(sections.array(tag::MEMBER_KEY)?),
            role: Role(sections.u16(tag::ROLE)?),
            address: name(sections, tag::ADDRESS)?,
        })
    }

    /// The results of [`ClusterMessage::ListMembers`].
    pub fn list(members: &[Self]) -> TsdWriter {
        members.iter().fold(TsdWriter::new(), |out, member| out.with(tag::MEMBER, &member.encode().finish()))
    }

    /// Reads [`Member::list`]; what is no member is left out.
    pub fn from_list(results: &Sections) -> Vec<Self> {
        results
            .iter()
            .filter(|section| section.tag == tag::MEMBER)
            .filter_map(|section| Self::decode(&Sections::parse(section.data.clone()).ok()?))
            .collect()
    }
}

impl ClusterMessage {
    /// Its operation.
    pub fn op(&self) -> ClusterOp {
        match self {
            Self::AddMember(_) => ClusterOp::AddMember,
            Self::RemoveMember(_) => ClusterOp::RemoveMember,
            Self::ListMembers => ClusterOp::ListMembers,
            Self::Announce(_) => ClusterOp::Announce,
            Self::Withdraw { .. } => ClusterOp::Withdraw,
            Self::ReportLoad(_) => ClusterOp::ReportLoad,
            Self::Redirect { .. } => ClusterOp::Redirect,
            Self::Drain => ClusterOp::Drain,
        }
    }

    /// The bytes.
    pub fn encode(&self, request: u32) -> Bytes {
        let out = TsdWriter::new();
        let args = match self {
            Self::AddMember(member) => member.encode(),
            Self::RemoveMember(id) => out.with(tag::MEMBER_KEY, &id.0),
            Self::ListMembers | Self::Drain => out,
            Self::Announce(announcement) => announcement.serving.encode(
                out.with(tag::PATH, announcement.path.as_bytes())
                    .with(tag::FEED_UID, announcement.feed_uid.as_bytes())
                    .with(tag::EPOCH, &announcement.epoch.to_le_bytes())
                    .with(tag::GRANT, &announcement.grant)
                    .with(tag::STREAM, &announcement.stream.to_le_bytes()),
            ),
            Self::Withdraw { path, epoch } => {
                out.with(tag::PATH, path.as_bytes()).with(tag::EPOCH, &epoch.to_le_bytes())
            }
            Self::ReportLoad(load) => out.with(tag::LOAD, &load.encode()),
            Self::Redirect { path, address } => {
                out.with(tag::PATH, path.as_bytes()).with(tag::ADDRESS, address.as_bytes())
            }
        };
        Request::encode(self.op() as u8, request, 0, args)
    }

    /// What a member of this role asks for, or the code that it gets.
    pub fn decode(request: &Request, role: Role) -> Result<Self, Code> {
        let op = ClusterOp::from_number(request.op).ok_or(Code::CLUSTER_WRONG_REQUEST)?;
        may(role, op)?;
        let args = &request.args;
        let message = match op {
            ClusterOp::AddMember => Self::AddMember(Member::decode(args).ok_or(Code::MEMBER_INFO_PROBLEM)?),
            ClusterOp::RemoveMember => {
                Self::RemoveMember(MemberId(args.array(tag::MEMBER_KEY).ok_or(Code::MEMBER_INFO_PROBLEM)?))
            }
            ClusterOp::ListMembers => Self::ListMembers,
            ClusterOp::Announce => Self::Announce(announcement(args).ok_or(Code::ARG_INCORRECT)?),
            ClusterOp::Withdraw => Self::Withdraw {
                path: name(args, tag::PATH).ok_or(Code::ARG_INCORRECT)?,
                epoch: args.u64(tag::EPOCH).ok_or(Code::ARG_INCORRECT)?,
            },
            ClusterOp::ReportLoad => {
                let load = args.get(tag::LOAD).and_then(|load| Load::decode(load));
                Self::ReportLoad(load.ok_or(Code::ARG_INCORRECT)?)
            }
            ClusterOp::Redirect => Self::Redirect {
                path: name(args, tag::PATH).ok_or(Code::ARG_INCORRECT)?,
                address: name(args, tag::ADDRESS).ok_or(Code::ARG_INCORRECT)?,
            },
            ClusterOp::Drain => Self::Drain,
        };
        Ok(message)
    }
}

fn announcement(args: &Sections) -> Option<Announcement> {
    Some(Announcement {
        path: name(args, tag::PATH)?,
        feed_uid: name(args, tag::FEED_UID)?,
        epoch: args.u64(tag::EPOCH)?,
        grant: args.get(tag::GRANT).cloned().unwrap_or_default(),
        stream: args.u64(tag::STREAM)?,
        serving: Serving::decode(args),
    })
}

fn name(sections: &Sections, tag: u16) -> Option<String> {
    sections.text(tag).filter(|name| !name.is_empty() && name.len() <= MAX_NAME).map(str::to_owned)
}
