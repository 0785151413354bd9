//! Media pods whose clock is wrong.

use std::{env, fs, path::PathBuf, process};

use millrace_e2e::repository;

use crate::{Operator, Program, name, nodes, on_node, programs::engine};

/// Loaded before a program, adds seconds to what it is told that time it is: other seconds for balancers than for server pods.
const PRELOADED: &str = r#"#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long ahead;

__attribute__((constructor)) static void begin(int count, char **words) {
  const char *said = getenv(count > 1 && !strcmp(words[1], "balance") ? "BALANCERS_AHEAD" : "SERVERS_AHEAD");
  if (said) ahead = atol(said);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && clock == CLOCK_REALTIME) now->tv_sec += ahead;
  return failed;
}
"#;

/// An image of the media pod, on all nodes of `e2e/cluster/up`, in which it has another time than it is.
pub struct OtherClock {
    image: String,
}

impl OtherClock {
    /// Builds it, and brings it to the nodes; dropping this takes it away. So many seconds ahead.
    pub fn ahead(servers: i64, balancers: i64) -> Self {
        let other =
            Self { image: format!("millrace.dev/media-pod-clock:{}-{servers}-{balancers}", process::id()) };
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file).display().to_string();
        fs::write(at("clock.c"), PRELOADED).unwrap();
        let compile = ["-shared", "-fPIC", "-O2", "-o", &at("clock.so"), &at("clock.c")];
        Program::new("cc", "").with(&compile).ok();
        // What the nodes have may be gone here: what was built last is kept as a file.
        Program::new(engine(), "load -q -i").with(&[&archive().display().to_string()]).ok();
        let containerfile = format!(
            "FROM {}\nCOPY clock.so /usr/local/lib/clock.so\n\
             ENV LD_PRELOAD=/usr/local/lib/clock.so SERVERS_AHEAD={servers} BALANCERS_AHEAD={balancers}\n",
            media_pod()
        );
        fs::write(at("Containerfile"), containerfile).unwrap();
        let folder_ = folder.path().display().to_string();
        let build = ["-q", "-t", &other.image, "-f", &at("Containerfile"), &folder_];
        Program::new(engine(), "build").with(&build).ok();
        Program::new(engine(), "save -q -o").with(&[&at("clock.tar"), &other.image]).ok();
        let load = repository("e2e/cluster/load").display().to_string();
        Program::new(&load, &at("clock.tar")).ok();
        other
    }

    /// Its name.
    pub fn image(&self) -> &str {
        &self.image
    }
}

impl Drop for OtherClock {
    fn drop(&mut self) {
        Program::new(engine(), "rmi -f").with(&[&self.image]).run();
        for node in nodes() {
            on_node(name(&node), &["ctr", "-n", "k8s.io", "images", "rm", &self.image]).run();
        }
    }
}

/// The image that the operator gives to media pods.
fn media_pod() -> String {
    let deployment = Operator::space().get("Deployment", "millrace-operator").to_string();
    let (_, rest) = deployment.split_once("--media-pod-image=").expect("the operator is told the image");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Where `images/build` leaves it.
fn archive() -> PathBuf {
    let cache = env::var_os("MILLRACE_CACHE").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/millrace");
    cache.unwrap_or_else(home).join("images/media-pod.tar")
}
