//! CRDs, rights and operator, as the README installs them.

use std::{env, fs::File, panic, sync::OnceLock};

use crate::{Operator, dump, kubectl};

/// Installs what `manifests/` holds, once in a run; two runs take turns. Then the operator is Ready.
pub fn install() {
    static DONE: OnceLock<bool> = OnceLock::new();
    let ready = || {
        let ready = apply("manifests/") && panic::catch_unwind(|| Operator.ready()).is_ok();
        if !ready {
            dump::operator();
        }
        ready
    };
    assert!(*DONE.get_or_init(ready), "the operator could not be installed; the first test to fail says why");
}

/// Installs the CRDs alone.
pub fn install_crds() {
    static DONE: OnceLock<bool> = OnceLock::new();
    assert!(*DONE.get_or_init(|| apply("manifests/crds/")), "the CRDs could not be installed");
}

fn apply(folder: &str) -> bool {
    let lock = File::create(env::temp_dir().join("millrace-e2e.lock")).unwrap();
    lock.lock().unwrap();
    let said = kubectl(&format!("apply --server-side --force-conflicts -R -f {folder}")).run();
    if said.code != Some(0) {
        eprintln!("kubectl apply -R -f {folder}: {}", said.err);
    }
    said.code == Some(0)
}
