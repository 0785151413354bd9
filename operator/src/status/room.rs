//! The status of a Room.

use kube::ResourceExt;
use millrace_crds::kinds::{Room, RoomStatus};

use super::conditions;
use crate::{
    decision::{Decision, Status},
    reason::{Reason, Why},
    view::View,
};

/// Writes it, if it changed.
pub fn write(view: &View, room: &Room, into: &mut Decision) {
    let old = room.status.clone().unwrap_or_default();
    let why = Why::new(Reason::NotServed, "this version of Millrace does not serve Rooms yet");
    let wanted = vec![conditions::ready(false, why)];
    let status = RoomStatus {
        coordinator: None,
        epoch: old.epoch,
        conditions: conditions::merge(&old.conditions, wanted, room.metadata.generation, view.now),
        observed_generation: room.metadata.generation,
    };
    if room.status.as_ref() != Some(&status) {
        into.status.push(Status::Room { name: room.name_any(), status: Box::new(status) });
    }
}
