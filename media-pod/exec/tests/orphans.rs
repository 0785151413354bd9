//! No orphan can exist.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{EXE, Server, agent, children_of, kill, long, parent_of, sh, until, with_argument};
use millrace_exec::{Agent, Process, Reason, Spec};

/// A command that leaves all kinds of children; every one of them has `mark` in its arguments.
fn family(mark: &str) -> String {
    format!(
        "sleep {mark} & (sleep {mark} &) ; setsid sleep {mark} & \
         setsid sh -c 'trap \"\" TERM HUP; (sleep {mark} &); (setsid sleep {mark} &); sleep {mark}' & \
         (trap '' TERM HUP; nohup setsid sh -c 'sleep {mark}; :' >/dev/null 2>&1 </dev/null &) ; \
         sleep {mark}"
    )
}

/// The sleeps of a [`family`], apart from its shells.
const SLEEPS: usize = 8;

fn sleeps(mark: &str) -> Vec<i32> {
    let is_sleep = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
    };
    with_argument(mark).into_iter().filter(is_sleep).collect()
}

#[track_caller]
fn wait_for_family(mark: &str) {
    until("the whole family runs", || sleeps(mark).len() == SLEEPS);
}

#[track_caller]
fn wait_for_nobody(mark: &str) {
    until("nobody of the family is left", || with_argument(mark).is_empty());
}

/// SIGKILL to all of them; stopped first, so that none can tidy up before all are dead.
fn kill_at_once(pids: &[i32]) {
    for signal in [rustix::process::Signal::STOP, rustix::process::Signal::KILL] {
        for pid in pids {
            let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(*pid).unwrap(), signal);
        }
    }
}

async fn start(agent: &Agent) -> (String, Process) {
    let mark = long();
    let process = agent.start(sh(&family(&mark))).await.unwrap();
    wait_for_family(&mark);
    (mark, process)
}

#[tokio::test]
async fn kill_leaves_nobody_and_its_end_is_told_only_then() {
    let agent = agent();
    let (mark, mut process) = start(&agent).await;
    process.kill();
    let exit = process.wait().await;
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
    assert_eq!((exit.signal, exit.reason), (Some(9), Reason::Signaled));
}

#[tokio::test]
async fn stop_leaves_nobody() {
    let agent = agent();
    let (mark, mut process) = start(&agent).await;
    process.stop();
    let exit = process.wait().await;
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
    assert_eq!(exit.signal, Some(15));
}

#[tokio::test]
async fn a_dropped_process_leaves_nobody() {
    let agent = agent();
    let (mark, process) = start(&agent).await;
    drop(process);
    wait_for_nobody(&mark);
}

#[tokio::test]
async fn a_command_that_ends_takes_its_children_along() {
    let mark = long();
    let mut process =
        agent().start(sh(&format!("(setsid sleep {mark} &); sleep {mark} & exit 0"))).await.unwrap();
    assert!(process.wait().await.success());
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
}

#[tokio::test]
async fn a_command_that_daemonizes_is_no_exception() {
    let mark = long();
    let script = format!("setsid sh -c 'setsid sleep {mark} >/dev/null 2>&1 & exit 0' & exit 7");
    let mut process = agent().start(sh(&script)).await.unwrap();
    assert_eq!(process.wait().await.code, Some(7));
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
}

#[tokio::test]
async fn a_dropped_agent_ends_with_its_last_process() {
    let agent = agent();
    let pid = agent.local_pid().unwrap();
    let (mark, process) = start(&agent).await;
    drop(agent);
    assert_eq!(sleeps(&mark).len(), SLEEPS);
    drop(process);
    wait_for_nobody(&mark);
    until("the agent is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn sigkill_of_the_agent_leaves_nobody_and_the_next_start_has_a_new_one() {
    let agent = agent();
    let (mark, mut process) = start(&agent).await;
    let (other, neighbour) = start(&agent).await;
    let pid = agent.local_pid().unwrap();
    kill(pid);
    wait_for_nobody(&mark);
    wait_for_nobody(&other);
    let exit = process.wait().await;
    assert_eq!(exit.reason, Reason::AgentLost, "{exit}");
    drop(neighbour);
    let exit = agent.start(sh("exit 4")).await.unwrap().wait().await;
    assert_eq!(exit.code, Some(4));
    assert_ne!(agent.local_pid().unwrap(), pid);
}

#[tokio::test]
async fn an_agent_that_is_killed_again_and_again_does_not_stop_the_show() {
    let agent = agent();
    for _ in 0..20 {
        kill(agent.local_pid().unwrap());
        assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
    }
}

#[tokio::test]
async fn sigkill_of_a_supervisor_leaves_nobody() {
    let agent = agent();
    let (mark, mut process) = start(&agent).await;
    let (other, neighbour) = start(&agent).await;
    kill(parent_of(process.pid() as i32) as u32);
    assert_eq!(process.wait().await.reason, Reason::AgentLost);
    wait_for_nobody(&mark);
    assert_eq!(sleeps(&other).len(), SLEEPS);
    drop(neighbour);
    wait_for_nobody(&other);
}

#[tokio::test]
async fn sigkill_of_agent_and_supervisors_at_once_leaves_nobody() {
    let agent = agent();
    let (mark, process) = start(&agent).await;
    let pid = agent.local_pid().unwrap();
    kill_at_once(&[vec![pid as i32], children_of(pid as i32)].concat());
    wait_for_nobody(&mark);
    drop(process);
}

/// A media pod: a program that is client, agent, supervisor and trampoline in one.
struct Pod(Child);

impl std::ops::Deref for Pod {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Pod {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// A test that fails leaves none behind.
impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pod(args: &[&str]) -> (Pod, u32) {
    let mut pod = Pod(Command::new(EXE).arg("run").args(args).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(pod.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let agent = line.trim().strip_prefix("agent ").unwrap().parse().unwrap();
    (pod, agent)
}

#[test]
fn sigkill_of_the_media_pod_leaves_nobody() {
    let (one, two) = (long(), long());
    let (mut pod, agent) = pod(&["sh", "-c", &family(&one), "--and", "sh", "-c", &family(&two)]);
    wait_for_family(&one);
    wait_for_family(&two);
    pod.kill().unwrap();
    pod.wait().unwrap();
    wait_for_nobody(&one);
    wait_for_nobody(&two);
    until("the agent is gone", || !std::path::Path::new(&format!("/proc/{agent}")).exists());
}

#[test]
fn sigkill_of_media_pod_and_agent_at_once_leaves_nobody() {
    let mark = long();
    let (mut pod, agent) = pod(&["sh", "-c", &family(&mark)]);
    wait_for_family(&mark);
    kill(pod.id());
    kill(agent);
    pod.wait().unwrap();
    wait_for_nobody(&mark);
}

#[test]
fn sigkill_of_a_media_pod_whose_agent_hangs_leaves_nobody() {
    let mark = long();
    let (mut pod, agent) = pod(&["sh", "-c", &family(&mark)]);
    wait_for_family(&mark);
    let pid = rustix::process::Pid::from_raw(agent as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    pod.kill().unwrap();
    pod.wait().unwrap();
    wait_for_nobody(&mark);
    kill(agent);
}

#[test]
fn what_even_that_left_is_killed_by_the_next_agent_on_the_machine() {
    let mark = long();
    let (mut pod, agent) = pod(&["sh", "-c", &family(&mark)]);
    wait_for_family(&mark);
    kill_at_once(&[vec![pod.id() as i32, agent as i32], children_of(agent as i32)].concat());
    pod.wait().unwrap();
    let _next = common::agent();
    wait_for_nobody(&mark);
}

#[test]
fn a_command_without_any_environment_dies_with_all_who_watched_over_it() {
    let mark = long();
    let (mut pod, agent) = pod(&["env", "-i", "sleep", &mark]);
    until("it sleeps", || sleeps(&mark).len() == 1);
    kill_at_once(&[vec![pod.id() as i32, agent as i32], children_of(agent as i32)].concat());
    pod.wait().unwrap();
    wait_for_nobody(&mark);
}

#[test]
fn sigkill_of_a_media_pod_leaves_nobody_in_the_sidecar() {
    let server = Server::start();
    let (one, two) = (long(), long());
    let socket = server.socket.to_str().unwrap();
    let (mut killed, _) = pod(&["--socket", socket, "sh", "-c", &family(&one)]);
    let (mut stays, _) = pod(&["--socket", socket, "sh", "-c", &family(&two)]);
    wait_for_family(&one);
    wait_for_family(&two);
    killed.kill().unwrap();
    killed.wait().unwrap();
    wait_for_nobody(&one);
    assert_eq!(sleeps(&two).len(), SLEEPS);
    stays.kill().unwrap();
    stays.wait().unwrap();
    wait_for_nobody(&two);
}

#[tokio::test]
async fn sigterm_of_the_sidecar_ends_all_and_the_socket_goes() {
    let mut server = Server::start();
    let (mark, mut process) = start(&server.agent()).await;
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(server.child.wait().unwrap().success());
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
    assert_eq!(process.wait().await.reason, Reason::AgentLost);
    assert!(!server.socket.exists());
}

#[tokio::test]
async fn sigkill_of_the_sidecar_leaves_nobody_and_a_new_one_takes_its_socket() {
    let mut server = Server::start();
    let agent = server.agent();
    let (mark, process) = start(&agent).await;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    wait_for_nobody(&mark);
    drop(process);
    agent.start(sh("exit 0")).await.unwrap_err();
    server.child = common::serve(&server.socket);
    until("the new agent listens", || std::os::unix::net::UnixStream::connect(&server.socket).is_ok());
    assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
}

#[tokio::test]
async fn a_fork_storm_is_ended() {
    let mark = long();
    let script = format!(
        "storm() {{ setsid sleep {mark} & }}; i=0; while [ $i -lt 300 ]; do storm; i=$((i+1)); done; sleep {mark}"
    );
    let mut process = agent().start(sh(&script)).await.unwrap();
    until("it rages", || with_argument(&mark).len() > 100);
    process.kill();
    process.wait().await;
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
}

#[test]
fn sigkill_of_a_media_pod_in_the_midst_of_starting_leaves_nobody() {
    for running in [0, 1, 2, 3, 5, 8, 13] {
        let mark = long();
        let mut args = vec!["sh".to_owned(), "-c".to_owned(), family(&mark)];
        for _ in 0..15 {
            args.extend(["--and", "sh", "-c"].map(str::to_owned));
            args.push(format!("setsid sleep {mark} & sleep {mark}"));
        }
        let mut pod = Pod(Command::new(EXE).arg("run").args(&args).stdout(Stdio::null()).spawn().unwrap());
        // the pod itself has the mark in its arguments, too
        until("enough run", || with_argument(&mark).len() > running);
        pod.kill().unwrap();
        pod.wait().unwrap();
        wait_for_nobody(&mark);
    }
}

#[tokio::test]
async fn an_agent_killed_in_the_midst_of_starting_leaves_nobody() {
    let agent = agent();
    let mark = long();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (agent, script) = (agent.clone(), format!("setsid sleep {mark} & sleep {mark}"));
        all.spawn(async move { agent.start(sh(&script)).await });
    }
    let mut killed = 0;
    let mut started = Vec::new();
    while let Some(process) = all.join_next().await {
        started.extend(process.unwrap());
        if started.len() % 12 == 3 {
            kill(agent.local_pid().unwrap());
            killed += 1;
        }
    }
    assert!(killed > 0 && !started.is_empty());
    drop(started);
    wait_for_nobody(&mark);
    assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
}

#[tokio::test]
async fn supervisors_that_are_killed_before_they_have_work_are_replaced() {
    let agent = agent();
    let pid = agent.local_pid().unwrap() as i32;
    for _ in 0..20 {
        for spare in children_of(pid) {
            kill(spare as u32);
        }
        assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
    }
    assert_eq!(agent.local_pid().unwrap() as i32, pid);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nobody() {
    let agent = agent();
    let mark = long();
    for micros in 0..60 {
        let start = agent.start(Spec::new(["sleep", &mark]));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros * 100), start).await;
    }
    until("none has work", || children_of(agent.local_pid().unwrap() as i32).len() == 1);
    assert_eq!(with_argument(&mark), Vec::<i32>::new());
}
