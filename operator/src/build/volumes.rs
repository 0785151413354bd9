//! Volumes of a media pod.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        ConfigMapVolumeSource, EmptyDirVolumeSource, HostPathVolumeSource, NFSVolumeSource,
        PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use millrace_crds::{FinalSource, Resolved, shared};

use crate::resolve::directory;

/// An empty directory.
pub fn empty(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// A slot's `ConfigMap`.
pub fn config(slot: &str) -> Volume {
    let config_map =
        Some(ConfigMapVolumeSource { name: slot.to_owned(), ..ConfigMapVolumeSource::default() });
    Volume { name: "config".to_owned(), config_map, ..Volume::default() }
}

/// A slot's Secret; its files are for the pod's group, and for nobody else.
pub fn secret(slot: &str) -> Volume {
    let secret = Some(SecretVolumeSource {
        secret_name: Some(slot.to_owned()),
        default_mode: Some(0o440),
        ..SecretVolumeSource::default()
    });
    Volume { name: "secret".to_owned(), secret, ..Volume::default() }
}

/// A volume mounted somewhere.
pub fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// The volumes of Feeds that are files, each at the directory of its file. Of two at one directory the first by name
/// is mounted.
pub fn files(part: &Resolved) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mut by_directory: BTreeMap<&str, &shared::Volume> = BTreeMap::new();
    for feed in part.feeds.values() {
        if let FinalSource::File { path, volume: Some(volume), .. } = &feed.source
            && !directory(path).is_empty()
        {
            by_directory.entry(directory(path)).or_insert(volume);
        }
    }
    let named = by_directory.into_iter().enumerate().map(|(place, (path, volume))| {
        let name = format!("files-{}", place + 1);
        (volume_of(&name, volume), mount(&name, path, false))
    });
    named.unzip()
}

fn volume_of(name: &str, volume: &shared::Volume) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: volume.persistent_volume_claim.as_ref().map(|it| {
            PersistentVolumeClaimVolumeSource {
                claim_name: it.claim_name.clone(),
                read_only: it.read_only.then_some(true),
            }
        }),
        host_path: volume
            .host_path
            .as_ref()
            .map(|it| HostPathVolumeSource { path: it.path.clone(), type_: None }),
        nfs: volume.nfs.as_ref().map(|it| NFSVolumeSource {
            server: it.server.clone(),
            path: it.path.clone(),
            read_only: it.read_only.then_some(true),
        }),
        empty_dir: volume.empty_dir.as_ref().map(|it| EmptyDirVolumeSource {
            size_limit: it.size_limit.map(|size| Quantity(size.get().to_string())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}
