//! Debian's `icecast2`, for one mount and as many listeners as come.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result};

use super::{Program, find_program};

/// base64 of `source:bench`.
pub const SOURCE_AUTH: &str = "c291cmNlOmJlbmNo";
const NOBODY: u32 = 65_534;

/// The program with a configuration in `dir`. What listeners get in one go when they connect, `burst` bytes, is behind the live edge.
pub fn program(dir: &Path, addr: SocketAddr, burst: usize) -> Result<Program> {
    let icecast = find_program("icecast2").context("there is no icecast2: `apt-get install icecast2`")?;
    let (ip, port, here) = (addr.ip(), addr.port(), dir.display());
    let (config, queue) = (dir.join("icecast.xml"), 524_288 + 2 * burst);
    let xml = format!(
        "<icecast><location>bench</location><admin>bench@localhost</admin><hostname>localhost</hostname>
<limits><clients>5000</clients><sources>2</sources><queue-size>{queue}</queue-size><client-timeout>30</client-timeout>
<header-timeout>15</header-timeout><source-timeout>10</source-timeout><burst-on-connect>{}</burst-on-connect>
<burst-size>{burst}</burst-size></limits>
<authentication><source-password>bench</source-password><relay-password>bench</relay-password>
<admin-user>admin</admin-user><admin-password>bench</admin-password></authentication>
<listen-socket><port>{port}</port><bind-address>{ip}</bind-address></listen-socket>
<fileserve>0</fileserve>
<paths><basedir>/usr/share/icecast2</basedir><logdir>{here}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
<security><chroot>0</chroot></security></icecast>",
        u8::from(burst > 0)
    );
    fs::write(&config, xml)?;
    let mut program = Program::new([icecast.into_os_string(), "-c".into(), config.into_os_string()]);
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
        chown(dir, Some(NOBODY), Some(NOBODY))?;
        program.uid = Some(NOBODY);
    }
    Ok(program)
}
