//! Commands: input, output, ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use common::{EXE, Server, agent, long, sh, until, with_argument};
use millrace_exec::{Agent, ExecError, Process, Reason, Spec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn output(process: &mut Process) -> String {
    let mut text = String::new();
    process.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn what_goes_into_cat_comes_out_and_the_end_of_its_input_ends_it() {
    let mut cat = agent().start(Spec { stdin: true, stdout: true, ..Spec::new(["cat"]) }).await.unwrap();
    let mut stdin = cat.stdin.take().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    drop(stdin);
    assert_eq!(output(&mut cat).await, "hello");
    let exit = cat.wait().await;
    assert!(exit.success(), "{exit}");
    assert_eq!(cat.wait().await, exit);
}

#[tokio::test]
async fn a_command_behind_a_socket_is_a_command() {
    let server = Server::start();
    let mut cat =
        server.agent().start(Spec { stdin: true, stdout: true, ..Spec::new(["cat"]) }).await.unwrap();
    let mut stdin = cat.stdin.take().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    drop(stdin);
    assert_eq!(output(&mut cat).await, "hello");
    assert!(cat.wait().await.success());
}

#[tokio::test]
async fn extra_inputs_are_descriptors_3_and_4() {
    let spec = Spec { extra_inputs: 2, stdout: true, ..sh("cat <&3; cat <&4") };
    let mut process = agent().start(spec).await.unwrap();
    for (input, text) in process.inputs.drain(..).zip(["three ", "four "]) {
        let mut input = input;
        input.write_all(text.as_bytes()).await.unwrap();
    }
    assert_eq!(output(&mut process).await, "three four ");
}

#[tokio::test]
async fn a_command_has_its_own_descriptors_and_no_others() {
    let agent = agent();
    let _neighbour = agent.start(Spec { stdin: true, ..Spec::new(["cat"]) }).await.unwrap();
    let spec = Spec { extra_inputs: 2, stdout: true, ..Spec::new(["ls", "-l", "/proc/self/fd"]) };
    let text = output(&mut agent.start(spec).await.unwrap()).await;
    // 1 to 4; what whoever started the tests let us inherit is nothing any more
    assert_eq!(text.matches("pipe:").count(), 4, "{text}");
    let other = text.lines().filter(|line| line.contains("->") && !line.contains("pipe:"));
    assert_eq!(
        other.filter(|line| !line.ends_with("/dev/null") && !line.ends_with("/fd")).count(),
        0,
        "{text}"
    );
}

#[tokio::test]
async fn thirty_two_extra_inputs_arrive_in_order() {
    let script = "i=3; while [ $i -lt 35 ]; do eval \"cat <&$i\"; i=$((i+1)); done";
    let script = Spec { extra_inputs: 32, stdout: true, ..Spec::new(["bash", "-c", script]) };
    let mut process = agent().start(script).await.unwrap();
    let mut expected = String::new();
    for (number, mut input) in process.inputs.drain(..).enumerate() {
        let text = format!("{number} ");
        input.write_all(text.as_bytes()).await.unwrap();
        expected.push_str(&text);
    }
    assert_eq!(output(&mut process).await, expected);
}

#[tokio::test]
async fn a_pipe_ends_though_other_commands_run() {
    let agent = agent();
    let cat = || Spec { stdin: true, stdout: true, extra_inputs: 1, ..Spec::new(["cat"]) };
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(agent.start(cat()).await.unwrap());
    }
    let mut first = all.remove(0);
    drop(first.stdin.take());
    let exit = tokio::time::timeout(Duration::from_secs(20), first.wait()).await.unwrap();
    assert!(exit.success(), "{exit}");
}

#[tokio::test]
async fn a_pipe_that_the_command_closes_has_ended_though_the_command_runs() {
    let agent = agent();
    let script = "exec 0<&- 1>&- 3<&-; while :; do sleep 0.05; done";
    let spec = Spec { stdin: true, stdout: true, extra_inputs: 1, ..sh(script) };
    let mut process = agent.start(spec).await.unwrap();
    let within = Duration::from_secs(20);
    let read = tokio::time::timeout(within, process.stdout.as_mut().unwrap().read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap(), 0);
    let flood = vec![0; 1 << 20];
    for mut input in process.inputs.drain(..).chain(process.stdin.take()) {
        let written = tokio::time::timeout(within, input.write_all(&flood)).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
    process.kill();
    assert_eq!(process.wait().await.signal, Some(9));
}

#[tokio::test]
async fn no_other_child_of_ours_inherits_a_pipe() {
    let agent = agent();
    let spec = Spec { stdin: true, stdout: true, extra_inputs: 1, ..Spec::new(["cat"]) };
    let process = agent.start(spec).await.unwrap();
    let fds = [
        process.stdin.as_ref().unwrap().as_raw_fd(),
        process.stdout.as_ref().unwrap().as_raw_fd(),
        process.inputs[0].as_raw_fd(),
    ];
    let other = std::process::Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let other = String::from_utf8_lossy(&other.stdout).into_owned();
    for fd in fds {
        let pipe = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        assert!(!other.contains(pipe.to_str().unwrap()), "{pipe:?} in {other}");
    }
}

#[tokio::test]
async fn the_environment_is_the_base_and_what_was_added() {
    let env = vec![("A".to_owned(), "1".to_owned()), ("LANG".to_owned(), "xx".to_owned())];
    let cwd = Some("/usr".into());
    let spec = Spec { env, cwd, stdout: true, ..sh("pwd; env") };
    let text = output(&mut agent().start(spec).await.unwrap()).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "/usr");
    assert!(lines.contains(&"A=1") && lines.contains(&"LANG=xx"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("PATH=")), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
}

#[tokio::test]
async fn an_exit_tells_code_and_last_words() {
    let mut process = agent().start(sh("echo begin >&2; echo no such device >&2; exit 3")).await.unwrap();
    let exit = process.wait().await;
    assert_eq!((exit.code, exit.signal, exit.reason), (Some(3), None, Reason::Exited));
    assert_eq!(exit.stderr, ["begin", "no such device"]);
    assert!(exit.to_string().starts_with("exited with code 3 after "), "{exit}");
    assert!(exit.to_string().ends_with(": no such device"), "{exit}");
}

#[tokio::test]
async fn a_program_that_is_missing_or_cannot_be_executed_is_an_end_with_a_reason() {
    let agent = agent();
    let end = async |spec| agent.start(spec).await.unwrap().wait().await;
    let path = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let exit = end(Spec { env: path, ..Spec::new(["no-such-ffmpeg"]) }).await;
    assert_eq!(exit.reason, Reason::NotFound);
    assert_eq!(exit.to_string(), "command not found: `no-such-ffmpeg` is not in PATH=/usr/bin:/bin");
    assert_eq!(end(Spec::new(["/no/such/ffmpeg"])).await.reason, Reason::NotFound);
    let exit = end(Spec::new(["/etc/passwd"])).await;
    assert_eq!(exit.reason, Reason::NotExecutable);
    assert!(exit.to_string().contains("/etc/passwd"), "{exit}");
    let exit = end(Spec { cwd: Some("/no/such/place".into()), ..Spec::new(["true"]) }).await;
    assert_eq!(exit.reason, Reason::NotExecutable);
    assert!(exit.to_string().contains("/no/such/place"), "{exit}");
    // a shell that says 127 is none of these
    assert_eq!(end(sh("no-such-ffmpeg")).await.code, Some(127));
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_before() {
    let agent = agent();
    let refused = async |spec| agent.start(spec).await.unwrap_err().to_string();
    assert!(refused(Spec::new(Vec::<String>::new())).await.contains("empty"));
    assert!(refused(Spec::new(["a\0b"])).await.contains("NUL"));
    assert!(refused(Spec { extra_inputs: 33, ..Spec::new(["true"]) }).await.contains("at most 32"));
    assert!(refused(Spec::new(["true".to_owned(), "x".repeat(1 << 20)])).await.contains("bytes"));
}

#[tokio::test]
async fn an_argument_list_near_the_bound_arrives_whole() {
    let words = (0..7).map(|_| "x".repeat(120_000));
    let argv =
        ["sh", "-c", "echo $# $(echo \"$*\" | wc -c)", "sh"].map(str::to_owned).into_iter().chain(words);
    let mut process = agent().start(Spec { stdout: true, ..Spec::new(argv) }).await.unwrap();
    assert_eq!(output(&mut process).await, "7 840007\n");
}

#[tokio::test]
async fn stop_is_polite_first_and_not_for_long() {
    let agent = agent();
    let polite = Spec {
        stdout: true,
        ..sh("trap 'echo bye >&2; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    };
    let mut process = agent.start(polite).await.unwrap();
    process.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
    process.stop();
    let exit = process.wait().await;
    assert_eq!(exit.code, Some(5), "{exit}");
    assert_eq!(exit.stderr.last().unwrap(), "bye");

    let deaf = Spec { stdout: true, ..sh("trap '' TERM; echo ready; while :; do sleep 0.05; done") };
    let mut process = agent.start(deaf).await.unwrap();
    process.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
    let begun = Instant::now();
    process.stop();
    process.stop();
    let exit = process.wait().await;
    assert_eq!((exit.signal, exit.reason), (Some(9), Reason::Signaled), "{exit}");
    assert!(begun.elapsed() > Duration::from_millis(1900), "{exit}");
}

#[tokio::test]
async fn a_handle_ends_a_command_and_does_not_keep_it_alive() {
    let agent = agent();
    let mark = long();
    let mut process = agent.start(Spec::new(["sleep", &mark])).await.unwrap();
    let handle = process.handle();
    tokio::spawn(async move { handle.kill() });
    assert_eq!(process.wait().await.signal, Some(9));

    let process = agent.start(Spec::new(["sleep", &mark])).await.unwrap();
    until("it runs", || with_argument(&mark).len() == 1);
    let handle = process.handle();
    drop(process);
    until("the sleep is gone", || with_argument(&mark).is_empty());
    handle.stop();
}

#[tokio::test]
async fn a_flood_of_stderr_costs_no_memory_and_no_standstill() {
    let mut process = agent()
        .start(sh("yes 'all work and no play' | head -c 100000000 >&2; echo >&2; echo end >&2"))
        .await
        .unwrap();
    let exit = process.wait().await;
    assert!(exit.success(), "{exit}");
    assert_eq!(exit.stderr.len(), 40);
    assert_eq!(exit.stderr.last().unwrap(), "end");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 100_000, "peak {peak} kB");
}

#[tokio::test]
async fn secrets_do_not_reach_the_tail() {
    let spec = Spec { secrets: vec!["k3y".into()], ..sh("echo cannot open rtmp://x/live/k3y >&2; exit 1") };
    let exit = agent().start(spec).await.unwrap().wait().await;
    assert_eq!(exit.stderr, ["cannot open rtmp://x/live/***"]);
}

#[tokio::test]
async fn ffmpeg_reads_writes_and_dies_by_name() {
    let agent = agent();
    let make = "ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x64:r=10 -c:v mpeg2video -f mpegts pipe:1";
    let mut source = agent.start(Spec { stdout: true, ..Spec::new(make.split(' ')) }).await.unwrap();
    let mut clip = Vec::new();
    source.stdout.take().unwrap().read_to_end(&mut clip).await.unwrap();
    assert!(source.wait().await.success());
    assert_eq!((clip[0], clip.len() % 188), (0x47, 0));

    let copy = "ffmpeg -v error -i pipe:0 -i pipe:3 -map 0 -map 1 -c copy -f matroska pipe:1";
    let spec = Spec { stdin: true, stdout: true, extra_inputs: 1, ..Spec::new(copy.split(' ')) };
    let mut process = agent.start(spec).await.unwrap();
    let (mut one, mut two) = (process.stdin.take().unwrap(), process.inputs.remove(0));
    let both = clip.clone();
    tokio::spawn(async move { one.write_all(&both).await });
    tokio::spawn(async move { two.write_all(&clip).await });
    let mut muxed = Vec::new();
    process.stdout.take().unwrap().read_to_end(&mut muxed).await.unwrap();
    let exit = process.wait().await;
    assert!(exit.success(), "{exit}: {:?}", exit.stderr);
    assert_eq!(muxed[..4], [0x1a, 0x45, 0xdf, 0xa3]);

    let exit = agent.start(Spec::new(["ffmpeg", "-i", "/no/such/file"])).await.unwrap().wait().await;
    assert!(exit.to_string().contains("No such file"), "{exit}");
}

#[tokio::test]
async fn only_who_eats_too_much_memory_is_killed() {
    let agent = agent();
    let mark = long();
    let neighbour =
        agent.start(Spec { memory_limit: Some(64 << 20), ..Spec::new(["sleep", &mark]) }).await.unwrap();
    until("the neighbour runs", || with_argument(&mark).len() == 1);
    // the eater is a child of the command, in a session of its own
    let eat = "setsid perl -e '$x = \"a\" x 200_000_000; sleep 1000' & wait; sleep 1000";
    let mut eater = agent.start(Spec { memory_limit: Some(64 << 20), ..sh(eat) }).await.unwrap();
    let exit = eater.wait().await;
    assert_eq!(exit.reason, Reason::OutOfMemory, "{exit}");
    assert!(exit.to_string().contains("its limit is 64 MiB"), "{exit}");
    assert_eq!(with_argument(&mark).len(), 1);
    drop(neighbour);
    until("the neighbour is gone", || with_argument(&mark).is_empty());
}

#[tokio::test]
async fn a_thousand_starts_leave_no_descriptor_and_no_zombie() {
    let agent = agent();
    let pid = agent.local_pid().unwrap();
    let run = async |count: usize| {
        for _ in 0..count {
            let spec = Spec { stdin: true, stdout: true, extra_inputs: 2, ..Spec::new(["true"]) };
            assert!(agent.start(spec).await.unwrap().wait().await.success());
        }
    };
    run(20).await;
    until("only the spare supervisor is left", || common::children_of(pid as i32).len() == 1);
    let agent_before = common::fds_of(pid);
    let before = common::fds_of(std::process::id());
    run(1000).await;
    until("only the spare supervisor is left", || common::children_of(pid as i32).len() == 1);
    until("no descriptor is left in the agent", || common::fds_of(pid) <= agent_before);
    // other tests of this process have descriptors, too, but not thousands
    assert!(common::fds_of(std::process::id()) < before + 300);
}

#[tokio::test]
async fn commands_start_side_by_side() {
    let agent = agent();
    let mut all = tokio::task::JoinSet::new();
    for number in 0..100 {
        let agent = agent.clone();
        all.spawn(async move {
            let mut process = agent
                .start(Spec { stdout: true, ..Spec::new(["echo".to_owned(), number.to_string()]) })
                .await
                .unwrap();
            assert_eq!(output(&mut process).await, format!("{number}\n"));
            assert!(process.wait().await.success());
        });
    }
    all.join_all().await;
}

#[tokio::test]
async fn an_executable_that_is_no_agent_is_told_apart() {
    for exe in ["/bin/true", "/bin/cat", "/no/such/agent"] {
        let error = Agent::spawn_from(exe).unwrap_err();
        assert!(matches!(error, ExecError::AgentStart { .. }), "{error}");
        assert!(error.to_string().contains(exe), "{error}");
    }
    let error = Agent::connect("/no/such/socket").start(sh("true")).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/socket"), "{error}");
}

#[test]
fn the_program_explains_and_installs_itself() {
    let run = |args: &[&str]| std::process::Command::new(EXE).args(args).output().unwrap();
    assert!(String::from_utf8_lossy(&run(&["--help"]).stdout).contains("serve --socket"));
    assert!(!run(&["serve"]).status.success());
    assert!(!run(&["serve", "--socket", "/x", "--mode", "9"]).status.success());
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("millrace-exec");
    assert!(run(&["install", copy.to_str().unwrap()]).status.success());
    assert!(std::process::Command::new(&copy).arg("--version").output().unwrap().status.success());
}
