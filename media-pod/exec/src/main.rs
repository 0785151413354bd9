//! `millrace-exec`: the agent in a transcoder's container.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use millrace_exec::{Agent, ServeOptions, Spec, maybe_run_agent, serve};

const USAGE: &str = "\
millrace-exec runs commands for a media pod that is in another container.

  millrace-exec serve --socket PATH [--mode 0600] [--max-commands 4096]
      Serve clients on a Unix socket until SIGTERM.
  millrace-exec run [--socket PATH] PROGRAM [ARGUMENT…] [--and PROGRAM [ARGUMENT…]]…
      Run commands by an agent of its own, or the one at the socket, and say how they end: to try a sidecar.
  millrace-exec install PATH
      Copy this program to PATH: for an init container whose image has no cp.
  millrace-exec --version
";

fn main() -> ExitCode {
    maybe_run_agent();
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("millrace-exec: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["serve", rest @ ..] => {
            let options = serve_options(rest)?;
            let socket = options.socket.display().to_string();
            serve(&options, || println!("millrace-exec {} serves {socket}", env!("CARGO_PKG_VERSION")))
                .map_err(|error| error.to_string())
        }
        ["run", "--socket", socket, commands @ ..] => try_out(&Agent::connect(*socket), commands),
        ["run", commands @ ..] => {
            let agent = Agent::spawn_local().map_err(|error| error.to_string())?;
            try_out(&agent, commands)
        }
        ["install", path] => install(path),
        ["--version" | "-V"] => {
            println!("millrace-exec {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("what shall I do?\n\n{USAGE}")),
    }
}

fn serve_options(mut args: &[&str]) -> Result<ServeOptions, String> {
    let mut options = ServeOptions::new("");
    while let [name, rest @ ..] = args {
        let [value, rest @ ..] = rest else { return Err(format!("{name} needs a value")) };
        match *name {
            "--socket" => options.socket = value.into(),
            "--mode" => {
                options.mode = u32::from_str_radix(value, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o777)
                    .ok_or_else(|| format!("--mode {value}: octal permissions like 0660 are right"))?;
            }
            "--max-commands" => {
                options.max_commands =
                    value.parse().map_err(|_| format!("--max-commands {value}: a number is right"))?;
            }
            _ => return Err(format!("unknown option {name}\n\n{USAGE}")),
        }
        args = rest;
    }
    if options.socket.as_os_str().is_empty() {
        return Err("serve needs --socket PATH".to_owned());
    }
    Ok(options)
}

/// Runs commands side by side and says how each ended.
#[tokio::main(flavor = "current_thread")]
async fn try_out(agent: &Agent, commands: &[&str]) -> Result<(), String> {
    let mut processes = Vec::new();
    for argv in commands.split(|arg| *arg == "--and") {
        processes
            .push(agent.start(Spec::new(argv.iter().copied())).await.map_err(|error| error.to_string())?);
    }
    println!("agent {}", agent.local_pid().unwrap_or(0));
    for process in &mut processes {
        let exit = process.wait().await;
        exit.stderr.iter().for_each(|line| eprintln!("{line}"));
        println!("{exit}");
    }
    Ok(())
}

/// Under another name first: whoever starts it at the same time finds all of it or nothing.
fn install(path: &str) -> Result<(), String> {
    let early = format!("{path}.new");
    std::fs::copy("/proc/self/exe", &early)
        .and_then(|_| std::fs::rename(&early, path))
        .map_err(|error| format!("cannot copy to {path}: {error}"))
}
