//! Runs commands through an agent and says how they end: `command [--socket PATH] PROGRAM [ARGUMENT…] [--and PROGRAM …]`.
#![forbid(unsafe_code)]

use millrace_exec::{Agent, Spec, maybe_run_agent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    maybe_run_agent();
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let agent = if args.first().is_some_and(|arg| arg == "--socket") {
        let socket = args.get(1).cloned().unwrap_or_default();
        args.drain(..2);
        Agent::connect(socket)
    } else {
        Agent::spawn_local()?
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut processes = Vec::new();
        for argv in args.split(|arg| arg == "--and") {
            processes.push(agent.start(Spec::new(argv.iter().cloned())).await?);
        }
        println!("agent {}", agent.local_pid().unwrap_or(0));
        for process in &mut processes {
            println!("{}", process.wait().await);
        }
        Ok(())
    })
}
