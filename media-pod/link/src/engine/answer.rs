//! What the core says by itself: errors, closes, credit.

use super::event::{CloseReason, Event};
use super::machine::State;
use super::{Core, MAX_EVENTS, MAX_URGENT, Phase, URGENT_PER_CHANNEL};
use crate::wire::{ChannelId, Code, Control, Notice, PacketType};

impl Core {
    /// Tells the other side what was wrong (ERROR). Changes no state.
    pub fn complain(&mut self, channel: ChannelId, code: Code, text: impl Into<String>) {
        if self.phase != Phase::Closed {
            self.stats.complaints += 1;
            self.urgent(PacketType::Error, channel, Notice::new(code, text).encode());
        }
    }

    pub(super) fn control(&mut self, control: Control) {
        self.urgent(PacketType::Control, ChannelId::CONTROL, control.encode());
    }

    /// Queues a packet that goes before all messages. A peer that causes them and does not read is cut off.
    pub(super) fn urgent(&mut self, kind: PacketType, channel: ChannelId, data: bytes::Bytes) {
        self.urgent_bytes += data.len() + 32;
        self.urgent.push_back((kind, channel, data));
        let most = MAX_URGENT + URGENT_PER_CHANNEL * self.config.max_channels;
        if self.urgent_bytes > most && self.phase != Phase::Closed {
            self.urgent.clear();
            self.urgent_bytes = 0;
            self.fail(Code::ERROR, "more answers wait than are read");
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
        let most = MAX_EVENTS + 2 * self.config.max_channels;
        if self.events.len() > most && self.phase != Phase::Closed {
            let others = self.events.iter().filter(|event| !matches!(event, Event::Packet(_))).count();
            if others > most {
                self.fail(Code::ERROR, "more happens than anybody can follow");
            }
        }
    }

    /// The link is over because of the other side; it is told.
    pub(super) fn fail(&mut self, code: Code, text: impl Into<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        let notice = Notice::new(code, text);
        self.urgent(PacketType::Error, ChannelId::CONTROL, notice.encode());
        self.urgent(PacketType::Close, ChannelId::CONTROL, notice.encode());
        self.over(CloseReason::Failed(notice));
    }

    pub(super) fn over(&mut self, reason: CloseReason) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.channels.retain(|id, _| id.is_permanent());
        self.events.push_back(Event::Closed(reason));
    }

    /// What cost this much of a channel's window is done with: the other side may send more.
    pub fn consumed(&mut self, channel: ChannelId, charge: u32) {
        if self.phase == Phase::Closed {
            return;
        }
        let Some(entry) = self.channels.get_mut(&channel) else { return };
        if let Some(bytes) = entry.inbox.grants.consumed(charge)
            && entry.state == State::Open
        {
            self.control(Control::Credit { channel, bytes });
        }
    }

    /// Puts a channel into the schedule if it has something to send.
    pub(super) fn activate(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let outbox = &mut channel.outbox;
        if !outbox.scheduled && (!outbox.queue.is_empty() || outbox.close.is_some()) {
            outbox.scheduled = true;
            self.schedule.add(id, channel.kind.weight());
        }
    }

    /// Takes a closed channel out of everything.
    pub(super) fn forget(&mut self, id: ChannelId) {
        self.channels.remove(&id);
        self.schedule.remove(id);
    }
}
