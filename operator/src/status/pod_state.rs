//! Why a media pod is not Ready, from its own status.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use crate::{
    build::rollout,
    reason::{Reason, Why},
};

/// Nothing if the pod is Ready.
pub fn check(pod: Option<&Pod>) -> Option<Why> {
    let Some(pod) = pod else { return Some(Why::new(Reason::PodStarting, "the media pod is being made")) };
    if rollout::is_ready(pod) {
        return None;
    }
    let name = pod.name_any();
    Some(
        stuck(pod)
            .unwrap_or_else(|| Why::new(Reason::PodStarting, format!("the media pod {name} is starting"))),
    )
}

/// What keeps a pod from becoming Ready, where time alone will not mend it.
pub fn stuck(pod: &Pod) -> Option<Why> {
    unschedulable(pod).or_else(|| images(pod)).or_else(|| crashing(pod))
}

fn unschedulable(pod: &Pod) -> Option<Why> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    let why = scheduled.message.as_deref().unwrap_or("no node takes it");
    Some(Why::new(Reason::Unschedulable, format!("the media pod {} finds no node: {why}", pod.name_any())))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|it| {
        it.init_container_statuses.iter().flatten().chain(it.container_statuses.iter().flatten())
    })
}

fn images(pod: &Pod) -> Option<Why> {
    containers(pod).find_map(|it| {
        let waiting = it.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let wrong = [
            "ErrImagePull",
            "ImagePullBackOff",
            "InvalidImageName",
            "ErrImageNeverPull",
            "ImageInspectError",
        ];
        wrong.contains(&reason).then(|| {
            // The kubelet's words change at each try; only what stays the same is said.
            let message = format!(
                "the image {} of container {} in pod {} cannot be pulled",
                it.image,
                it.name,
                pod.name_any()
            );
            Why::new(Reason::ImagePull, message)
        })
    })
}

fn crashing(pod: &Pod) -> Option<Why> {
    containers(pod).find_map(|it| {
        let waiting = it.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| {
            matches!(
                *reason,
                "CrashLoopBackOff"
                    | "RunContainerError"
                    | "CreateContainerError"
                    | "CreateContainerConfigError"
            )
        })?;
        let code = it.last_state.as_ref().and_then(|state| state.terminated.as_ref()).map(|it| it.exit_code);
        let ended = code.map_or_else(
            || waiting.message.clone().unwrap_or_default(),
            |code| format!("it ended with {code}"),
        );
        let message = format!("{reason}: container {} of pod {}: {ended}", it.name, pod.name_any());
        Some(Why::new(Reason::PodCrashing, message))
    })
}
