//! The table of links to other members, where there are any.

use std::fmt::{self, Write};

use super::parts::{elapsed, number};
use super::text::short;
use super::units;
use crate::model::{LinkStatus, Moment};

const HEAD: &str = "<div class=table><table aria-labelledby=links-title><thead><tr><th scope=col>Link to\
    <th scope=col>Part<th scope=col>Address<th scope=col class=n>For<th scope=col class=n>Streams\
    <th scope=col class=n>Received<th scope=col class=n>Sent<th scope=col class=n>Lost<th scope=col class=n>Refused\
    <th scope=col class=n>Round trip<th scope=col class=n>Heard</thead><tbody class=list>\n";
const NAME_CHARS: usize = 80;

pub(super) fn write(out: &mut String, links: &[LinkStatus], now: Moment) -> fmt::Result {
    write!(
        out,
        "<section id=links aria-labelledby=links-title><h2 id=links-title>Links <span>{}</span></h2>{HEAD}",
        units::count(links.len() as u64)
    )?;
    for link in links {
        row(out, link, now)?;
    }
    out.push_str("</table></div></section>\n");
    Ok(())
}

fn row(out: &mut String, link: &LinkStatus, now: Moment) -> fmt::Result {
    write!(
        out,
        "<tr class=item><th scope=row>{}<td data-l=Part>{}<td data-l=Address>{}<td class=n data-l=For>{}{}{}{}",
        short(&link.peer, NAME_CHARS),
        short(&link.role, NAME_CHARS),
        short(&link.address, NAME_CHARS),
        elapsed(link.connected_at, now),
        number("Streams", link.sessions, units::count(link.sessions)),
        number("Received", link.bytes_received, units::bytes(link.bytes_received)),
        number("Sent", link.bytes_sent, units::bytes(link.bytes_sent)),
    )?;
    writeln!(
        out,
        "{}{}<td class=n data-l=\"Round trip\">{:.1} ms<td class=n data-l=Heard>{} ago",
        number("Lost", link.packets_lost, units::count(link.packets_lost)),
        number("Refused", link.refused, units::count(link.refused)),
        link.rtt_ms,
        units::milliseconds(link.silence_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_calls_itself_cannot_become_markup() {
        let link = LinkStatus { peer: "<b>&\"".to_owned(), rtt_ms: 0.24, ..LinkStatus::default() };
        let mut out = String::new();
        write(&mut out, &[link], Moment::default()).unwrap();
        assert!(!out.contains("<b>") && out.contains("0.2 ms"), "{out}");
    }
}
