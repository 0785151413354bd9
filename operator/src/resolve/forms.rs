//! In which form each object is to run.

use std::{collections::BTreeMap, collections::BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use millrace_crds::{
    FieldPath, Step,
    kinds::{ClusterSpec, FeedSpec, StreamSpec},
};

use super::{Faults, restart, secrets};
use crate::{
    kept::Kept,
    reason::{Reason, Why},
    view::View,
};

/// Which form it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is written.
    Written,
    /// As it ran before.
    LastGood,
}

/// One Feed or Stream.
#[derive(Clone, Debug)]
pub struct One<Spec> {
    pub spec: Spec,
    pub form: Form,
    pub uid: String,
    pub created: Option<Time>,
    /// What its annotation, or its set's, says of a restart.
    pub restart: Option<String>,
}

/// The Cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterForm {
    pub form: Option<ClusterSpec>,
    written: Option<ClusterSpec>,
    back: bool,
}

/// All that is not left out.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    pub cluster: ClusterForm,
    pub feeds: BTreeMap<String, One<FeedSpec>>,
    pub streams: BTreeMap<String, One<StreamSpec>>,
    pub feed_uids: BTreeMap<String, String>,
    pub stream_uids: BTreeMap<String, String>,
}

impl Forms {
    /// Everything as it is written; what cannot be read as it ran.
    pub fn of(view: &View, kept: &Kept<'_>) -> Self {
        let written = view.cluster.as_ref().map(|cluster| cluster.spec.clone());
        let mut forms =
            Self { cluster: ClusterForm { form: written.clone(), written, back: false }, ..Self::default() };
        let there = |meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
            meta.deletion_timestamp.is_none()
        };
        let sets = restart::of_sets(&view.feeds);
        for feed in view.feeds.iter().filter(|it| it.spec.each.is_none() && there(&it.metadata)) {
            let (name, uid) = (feed.name_any(), feed.uid().unwrap_or_default());
            forms.feed_uids.insert(name.clone(), uid.clone());
            let created = feed.creation_timestamp();
            let restart = restart::of(feed.as_ref(), &sets, || kept.feed_restart(&name, &uid));
            let one = One { spec: feed.spec.clone(), form: Form::Written, uid, created, restart };
            forms.feeds.insert(name, one);
        }
        let lone = |spec: &StreamSpec| spec.each.is_none() && spec.each_of.is_none();
        let sets = restart::of_sets(&view.streams);
        for stream in view.streams.iter().filter(|it| lone(&it.spec) && there(&it.metadata)) {
            let (name, uid) = (stream.name_any(), stream.uid().unwrap_or_default());
            forms.stream_uids.insert(name.clone(), uid.clone());
            let created = stream.creation_timestamp();
            let restart = restart::of(stream.as_ref(), &sets, || kept.stream_restart(&name, &uid));
            let one = One { spec: stream.spec.clone(), form: Form::Written, uid, created, restart };
            forms.streams.insert(name, one);
        }
        for it in &view.unreadable {
            forms.add_unreadable(view, kept, it.kind, &it.name);
        }
        forms
    }

    fn add_unreadable(&mut self, view: &View, kept: &Kept<'_>, kind: &str, name: &str) {
        match kind {
            "Feed" => {
                let Some(uid) = kept.feed_uid(name) else { return };
                self.feed_uids.insert(name.to_owned(), uid.clone());
                if let Some(spec) = kept.feed(name, &uid) {
                    let restart = kept.feed_restart(name, &uid);
                    let one = One { spec, form: Form::LastGood, uid, created: None, restart };
                    self.feeds.insert(name.to_owned(), one);
                }
            }
            "Stream" => {
                let Some(uid) = kept.stream_uid(name) else { return };
                self.stream_uids.insert(name.to_owned(), uid.clone());
                if let Some(spec) = kept.stream(name, &uid) {
                    let restart = kept.stream_restart(name, &uid);
                    let one = One { spec, form: Form::LastGood, uid, created: None, restart };
                    self.streams.insert(name.to_owned(), one);
                }
            }
            "Cluster" if name == view.name && view.cluster.is_none() => {
                self.cluster = ClusterForm { form: kept.cluster(), written: None, back: true };
            }
            _ => {}
        }
    }

    /// What is said of objects that cannot be read.
    pub fn unreadable(view: &View) -> Faults {
        let mut faults = Faults::default();
        for it in &view.unreadable {
            let why = Why::new(Reason::Unreadable, it.error.clone());
            match it.kind {
                "Feed" => drop(faults.feeds.insert(it.name.clone(), why)),
                "Stream" => drop(faults.streams.insert(it.name.clone(), why)),
                "Cluster" if it.name == view.name => faults.cluster = Some(why),
                _ => {}
            }
        }
        faults
    }

    /// The Secrets named by what does not run as it is written.
    pub fn secrets_of_last_good(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let back = |form: Form| !form.is_written();
        self.feeds
            .values()
            .filter(|it| back(it.form))
            .for_each(|it| names.extend(secrets::named_by(&it.spec)));
        self.streams
            .values()
            .filter(|it| back(it.form))
            .for_each(|it| names.extend(secrets::named_by(&it.spec)));
        if let Some(spec) = self.cluster.form.as_ref().filter(|_| self.cluster.back) {
            names.extend(secrets::named_by(spec));
        }
        names
    }

    pub fn demote_feed(&mut self, kept: &Kept<'_>, name: &str) -> bool {
        let Some(one) = self.feeds.remove(name) else { return false };
        if one.form == Form::Written
            && let Some(spec) = kept.feed(name, &one.uid)
        {
            self.feeds.insert(name.to_owned(), One { spec, form: Form::LastGood, ..one });
        }
        true
    }

    pub fn demote_stream(&mut self, kept: &Kept<'_>, name: &str) -> bool {
        let Some(one) = self.streams.remove(name) else { return false };
        if one.form == Form::Written
            && let Some(spec) = kept.stream(name, &one.uid)
        {
            self.streams.insert(name.to_owned(), One { spec, form: Form::LastGood, ..one });
        }
        true
    }

    /// Templates that are wrong are taken out one by one, so that the others stay; anything else puts the Cluster back.
    pub fn demote_cluster(&mut self, kept: &Kept<'_>, fields: &[FieldPath]) -> bool {
        let Some(form) = &mut self.cluster.form else { return false };
        let mut changed = false;
        let mut rest = false;
        for field in fields {
            match field.0.as_slice() {
                [Step::Key(spec), Step::Key(list), Step::Key(name), ..]
                    if spec == "spec" && list == "templates" =>
                {
                    changed |= form.templates.remove(name).is_some();
                }
                _ => rest = true,
            }
        }
        if !rest {
            return changed;
        }
        let templates = std::mem::take(&mut form.templates);
        self.cluster.form = match kept.cluster() {
            Some(last) if !self.cluster.back => Some(ClusterSpec { templates, ..last }),
            _ => None,
        };
        self.cluster.back = true;
        true
    }

    /// The Cluster as it is written.
    pub fn written_cluster(&self) -> Option<&ClusterSpec> {
        self.cluster.written.as_ref()
    }
}
