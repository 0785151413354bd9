//! Which watches do not work, and why.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use kube::runtime::watcher;

use super::shelf::Scope;

/// Why a watch does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The API server does not know the kind.
    Missing,
    /// We may not.
    Forbidden,
    /// What else.
    Other(String),
}

impl Trouble {
    /// Of what a watch said.
    pub fn of(error: &watcher::Error) -> Self {
        let code = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status) => status.code,
            _ => 0,
        };
        match code {
            404 => Self::Missing,
            401 | 403 => Self::Forbidden,
            _ => Self::Other(causes(error)),
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The troubles of all watches.
#[derive(Debug, Default)]
pub struct Health {
    troubles: Mutex<BTreeMap<(&'static str, Scope), Trouble>>,
}

impl Health {
    /// Notes how a watch does; whether that is new.
    pub fn note(&self, resource: &'static str, scope: &Scope, trouble: Option<Trouble>) -> bool {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (resource, scope.clone());
        match trouble {
            Some(trouble) => troubles.insert(key, trouble.clone()).as_ref() != Some(&trouble),
            None => troubles.remove(&key).is_some(),
        }
    }

    /// What is wrong, in sentences that say what would be right.
    pub fn wrong(&self) -> Vec<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.iter().map(|((resource, scope), trouble)| sentence(resource, scope, trouble)).collect()
    }
}

pub(super) fn sentence(resource: &str, scope: &Scope, trouble: &Trouble) -> String {
    let place = scope.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    match trouble {
        Trouble::Missing if resource.ends_with(".millrace.dev") => {
            format!("the CustomResourceDefinition {resource} is missing: install the CRDs")
        }
        Trouble::Missing => {
            format!("the API server does not know {resource}: Kubernetes 1.33 or newer is needed")
        }
        Trouble::Forbidden => {
            format!("the operator may not list and watch {resource}{place}: its role lacks that")
        }
        Trouble::Other(why) => format!("{resource}{place} cannot be watched: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_crd_is_named_until_it_is_there() {
        let health = Health::default();
        assert!(health.note("feeds.millrace.dev", &None, Some(Trouble::Missing)));
        assert!(!health.note("feeds.millrace.dev", &None, Some(Trouble::Missing)), "not new");
        assert_eq!(
            health.wrong(),
            ["the CustomResourceDefinition feeds.millrace.dev is missing: install the CRDs"]
        );
        assert!(health.note("feeds.millrace.dev", &None, None));
        assert!(health.wrong().is_empty());
    }
}
