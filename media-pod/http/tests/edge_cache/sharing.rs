//! Who gets the same answer, and who one of his own.

use std::sync::atomic::Ordering;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    bench::{Bench, MIB, MINUTE, body, has, said},
    support::until,
};

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_the_owner_one_answer_and_those_who_come_later_none() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("picture {n}").as_bytes())).await;
    bench.gate.send_replace(false);
    let all = bench.many(100, "/a.ts/pic");
    until("all are there", || bench.front.counts().open == 100).await;
    until("the owner was asked", || bench.asked() == 1).await;
    bench.gate.send_replace(true);
    for one in all {
        let answer = one.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && body(&answer) == "picture 0", "{answer}");
    }
    let later = bench.get("/a.ts/pic", &[]).await;
    assert_eq!(body(&later), "picture 0");
    has(&later, "Age: 0");
    assert!(later.contains("millrace; hit; ttl=5"), "{later}");
    assert_eq!((bench.asked(), bench.front.counts().forwarded), (1, 1));
    let [hits, collapsed, misses, again, passed] = bench.figures().requests;
    assert_eq!((hits + collapsed, misses, again, passed), (100, 1, 0, 0));
}

#[tokio::test]
async fn what_is_for_one_viewer_goes_to_him_alone() {
    let bench = Bench::new(MIB, |_, n| {
        let control = ["Cache-Control: private, max-age=60", "Cache-Control: no-store", "X-None: 1"][n % 3];
        said("200 OK", &[control], format!("for {n}").as_bytes())
    })
    .await;
    let mut bodies = Vec::new();
    for _ in 0..6 {
        bodies.push(body(&bench.get("/a.ts/pic", &[]).await).to_owned());
    }
    for one in bench.many(20, "/b.ts/pic") {
        bodies.push(body(&one.await.unwrap()).to_owned());
    }
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!((bodies.len(), bench.asked()), (26, 26));
    assert_eq!(bench.figures().requests, [0, 0, 0, 0, 26]);
}

#[tokio::test]
async fn who_shows_who_he_is_for_what_is_asked_about_goes_to_the_owner() {
    let bench = Bench::new(MIB, |head, n| {
        let ann = head.to_ascii_lowercase().contains("authorization: basic ann");
        let control = if ann { "Cache-Control: max-age=60" } else { "Cache-Control: public, max-age=60" };
        said("200 OK", &[control], format!("{n} {ann}").as_bytes())
    })
    .await;
    let ann = ["Authorization: Basic ann"];
    assert_eq!(body(&bench.get("/locked/pic", &ann).await), "0 true");
    assert_eq!(body(&bench.get("/locked/pic", &[]).await), "1 false");
    assert_eq!(body(&bench.get("/locked/pic", &[]).await), "1 false", "the owner says that it is for all");
    assert_eq!(body(&bench.get("/locked/pic", &ann).await), "2 true");
    // Where nobody needs to ask, what is kept is for all; what is kept was asked for by nobody in particular.
    assert_eq!(body(&bench.get("/open/pic", &ann).await), "3 true");
    assert_eq!(body(&bench.get("/open/pic", &[]).await), "4 false");
    assert_eq!(body(&bench.get("/open/pic", &ann).await), "4 false");
}

#[tokio::test]
async fn a_fetch_goes_on_without_who_asked_first_and_ends_with_the_last_who_waits() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    bench.gate.send_replace(false);
    let mut first = TcpStream::connect(bench.http()).await.unwrap();
    first.write_all(b"GET /a/pic HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until("the owner was asked", || bench.asked() == 1).await;
    let second = bench.many(1, "/a/pic").remove(0);
    until("both are there", || bench.front.counts().open == 2).await;
    // Nothing shows that the second one waits, but that it does not ask.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(first);
    until("the first one is gone", || bench.front.counts().open == 1).await;
    assert_eq!((bench.asked(), bench.gone.load(Ordering::SeqCst)), (1, 0));
    second.abort();
    until("the owner is asked no more", || bench.gone.load(Ordering::SeqCst) == 1).await;
    bench.gate.send_replace(true);
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "1");
    until("nothing is held but what is kept", || bench.figures().entries == 1).await;
}
