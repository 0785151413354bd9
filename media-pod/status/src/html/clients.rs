//! The table of viewers, which is shown only if that is switched on.

use std::fmt::{self, Write};

use super::parts::{elapsed, number, to_part};
use super::text::short;
use super::units;
use crate::model::{ClientStatus, Moment};

const HEAD: &str = "<div class=table><table aria-labelledby=clients-title><thead><tr><th scope=col>Client\
    <th scope=col>Stream<th scope=col>Protocol<th scope=col class=n>For<th scope=col class=n>Sent\
    <th scope=col class=n>Behind<th scope=col class=n>Skips<th scope=col>Says it is</thead><tbody class=list>\n";
const AGENT_CHARS: usize = 160;
const PEER_CHARS: usize = 80;

pub(super) fn write(out: &mut String, clients: &[ClientStatus], now: Moment) -> fmt::Result {
    write!(
        out,
        "<section id=clients aria-labelledby=clients-title><h2 id=clients-title>Clients <span>{}</span></h2>",
        units::count(clients.len() as u64)
    )?;
    if clients.is_empty() {
        out.push_str("<p class=empty>Nobody is watching.</p></section>\n");
        return Ok(());
    }
    out.push_str(HEAD);
    for client in clients {
        row(out, client, now)?;
    }
    out.push_str("</table></div></section>\n");
    Ok(())
}

fn row(out: &mut String, client: &ClientStatus, now: Moment) -> fmt::Result {
    write!(
        out,
        "<tr class=item><th scope=row>{}<td data-l=Stream>{}<td data-l=Protocol>{}<td class=n data-l=For>{}",
        short(&client.peer, PEER_CHARS),
        to_part("s", &client.stream),
        short(&client.protocol, PEER_CHARS),
        elapsed(client.connected_at, now),
    )?;
    writeln!(
        out,
        "{}{}{}<td class=agent>{}",
        number("Sent", client.bytes, units::bytes(client.bytes)),
        number("Behind", client.lag_bytes, units::bytes(client.lag_bytes)),
        number("Skips", client.skips, units::count(client.skips)),
        short(&client.user_agent, AGENT_CHARS),
    )
}
