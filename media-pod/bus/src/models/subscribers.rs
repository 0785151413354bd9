//! Tasks that read while another thread publishes, begins runs and closes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use loom::{future::block_on, thread};

use super::{channel, chunk, explore, format, unit};
use crate::{Channel, Container, End, Join, Marks, Subscriber};

fn read_all(subscriber: &mut Subscriber) -> (Vec<u8>, End) {
    block_on(async {
        let mut read = Vec::new();
        loop {
            match subscriber.next().await {
                Ok(bytes) => read.extend_from_slice(&bytes),
                Err(end) => return (read, end),
            }
        }
    })
}

fn subscribe(channel: &Arc<Channel>) -> Subscriber {
    Subscriber::new(channel.join(Join::default()), false)
}

#[test]
fn a_task_is_woken_for_every_chunk() {
    explore(3, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, None);
        publisher.set_format(None);
        let mut subscriber = subscribe(&channel);
        let publishing = thread::spawn(move || {
            chunk(&mut publisher, b"ab");
            chunk(&mut publisher, b"cd");
            publisher
        });
        let read = block_on(async {
            let mut read = Vec::new();
            while read.len() < 4 {
                read.extend_from_slice(&subscriber.next().await.expect("it is open"));
            }
            read
        });
        assert_eq!(read, b"abcd");
        drop(publishing.join().unwrap());
    });
}

#[test]
fn who_joins_meanwhile_reads_each_chunk_once_from_its_place_on() {
    explore(2, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, None);
        publisher.set_format(None);
        let closing = channel.clone();
        let publishing = thread::spawn(move || {
            chunk(&mut publisher, b"1");
            chunk(&mut publisher, b"2");
            chunk(&mut publisher, b"3");
            closing.close();
        });
        let (read, end) = read_all(&mut subscribe(&channel));
        assert!(b"123".ends_with(&read), "{read:?}");
        assert_eq!(end, End::Closed);
        publishing.join().unwrap();
    });
}

#[test]
fn a_format_that_is_told_late_wakes_those_who_wait_for_it() {
    explore(3, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, None);
        let closing = channel.clone();
        let mut subscriber = subscribe(&channel);
        let publishing = thread::spawn(move || {
            unit(&mut publisher, 0, b"one");
            publisher.set_format(format(Container::MpegTs));
            publisher
        });
        let read = block_on(subscriber.next()).expect("it is open");
        assert_eq!(&read[..], b"one");
        let publisher = publishing.join().unwrap();
        closing.close();
        drop(publisher);
        assert_eq!(read_all(&mut subscriber), (Vec::new(), End::Closed));
    });
}

#[test]
fn a_run_that_ends_before_anyone_knew_what_it_was_blocks_nobody() {
    explore(2, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, format(Container::MpegTs));
        let mut subscriber = subscribe(&channel);
        unit(&mut publisher, 0, b"one");
        let closing = channel.clone();
        let publishing = thread::spawn(move || {
            publisher.begin(0, None);
            chunk(&mut publisher, b"??");
            publisher.begin(0, format(Container::MpegTs));
            unit(&mut publisher, 0, b"two");
            closing.close();
        });
        assert_eq!(read_all(&mut subscriber), (b"onetwo".to_vec(), End::Closed));
        publishing.join().unwrap();
    });
}

#[test]
fn a_new_run_and_a_close_end_a_reader_in_one_way_or_the_other() {
    explore(3, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, format(Container::Flv));
        publisher.set_header(Arc::default());
        let mut subscriber = subscribe(&channel);
        unit(&mut publisher, 0, b"one");
        let closing = channel.clone();
        let publishing = thread::spawn(move || {
            publisher.begin(0, format(Container::Flv));
            publisher.set_header(Arc::default());
            unit(&mut publisher, 0, b"two");
            closing.close();
        });
        let (read, end) = read_all(&mut subscriber);
        match end {
            End::NewRun => assert_eq!(read, b"one"),
            // It had read nothing of the first run when it heard of the second.
            End::Closed => panic!("closed after {read:?}, though a new run began before"),
        }
        publishing.join().unwrap();
    });
}

#[test]
fn the_publisher_takes_its_place_from_a_reader_that_stands_still_while_it_wakes_up() {
    static LARGE: OnceLock<Bytes> = OnceLock::new();
    let large = || LARGE.get_or_init(|| vec![7; 17 << 20].into()).clone();
    explore(2, move || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, None);
        publisher.set_format(None);
        let mut subscriber = subscribe(&channel);
        chunk(&mut publisher, b"a");
        assert_eq!(&block_on(subscriber.next()).expect("it is open")[..], b"a");
        let closing = channel.clone();
        let publishing = thread::spawn(move || {
            publisher.publish(large(), Marks::default());
            publisher.publish(large(), Marks::default());
            closing.close();
        });
        let mut chunks = 0;
        while let Ok(bytes) = block_on(subscriber.next()) {
            assert_eq!(bytes.len(), 17 << 20);
            chunks += 1;
        }
        assert!(chunks == 2 || subscriber.skips() > 0, "{chunks} chunks, no skips");
        publishing.join().unwrap();
    });
}
