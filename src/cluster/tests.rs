//! Processes that meet as threads of one test, and the strangers that come between.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

use proptest::prelude::*;
use timely::communication::allocator::zero_copy::stream::Stream;

use super::card::{Card, Purpose};
use super::heart::Pace;
use super::shake::Refused;
use super::wire::{Socket, Wire};
use super::*;
use crate::config::Secret;

const SECRET: &[u8] = b"a secret of these tests";

/// Long enough for a slow machine, and short of the time that a silent stranger is allowed.
const SOON: Duration = Duration::from_secs(4);

/// Process `index` of `count`.
pub(super) fn identity(index: usize, count: usize) -> Identity {
    let settings = Settings::default().processes(count, index).workers(2);
    Identity {
        card: Card::new("job", &settings),
        index,
        incarnation: index as u64,
        heartbeat: Duration::from_secs(60),
        secret: Secret::new(SECRET),
        #[cfg(feature = "tls")]
        tls: None,
    }
}

pub(super) fn addresses(count: usize) -> Vec<String> {
    let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let free: Vec<_> = (0..count).map(|_| free()).collect();
    free.iter().map(|it| it.local_addr().expect("it is bound").to_string()).collect()
}

fn ignore() -> OnLoss {
    Arc::new(|_, _| {})
}

type Meeting = JoinHandle<Result<Vec<Option<Pair>>>>;

/// Meets the others on a thread of its own.
pub(super) fn meeting(identity: Identity, addresses: &[String], patience: Duration) -> Meeting {
    let addresses = addresses.to_vec();
    spawn(move || meet(&addresses, identity, &ignore(), &Patience::new(patience, &|| false)))
}

/// What two processes that meet say about each other.
fn errors(lower: Identity, upper: Identity) -> [String; 2] {
    let addresses = addresses(2);
    [lower, upper].map(|it| meeting(it, &addresses, SOON)).map(|it| {
        let met = it.join().expect("it does not panic");
        format!("{:#}", met.map(|_| ()).expect_err("they must not meet"))
    })
}

/// Connects to a process that may not listen yet.
fn knock(address: &str) -> TcpStream {
    let deadline = Instant::now() + SOON;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

/// Reads until the other side is gone.
fn drained(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(SOON)).expect("longer than nothing");
    let mut bytes = Vec::new();
    // A reset is an end as well.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(error.kind() == std::io::ErrorKind::ConnectionReset, "{error}");
    }
    bytes
}

#[test]
fn three_processes_meet_each_other() {
    let addresses = addresses(3);
    let meetings = [2, 0, 1].map(|it| (it, meeting(identity(it, 3), &addresses, SOON)));
    for (index, meeting) in meetings {
        let pairs = meeting.join().expect("no panic").expect("they belong together");
        let met: Vec<_> = pairs.iter().map(Option::is_some).collect();
        assert_eq!(met, [0, 1, 2].map(|it| it != index));
    }
}

/// Two processes that met.
pub(super) fn met(lower: Identity, upper: Identity) -> [Pair; 2] {
    let addresses = addresses(2);
    [lower, upper].map(|it| meeting(it, &addresses, SOON)).map(|it| {
        let pairs = it.join().expect("no panic").expect("they belong together");
        pairs.into_iter().flatten().next().expect("each met the other")
    })
}

#[test]
fn what_is_sent_arrives() {
    let [mut lower, mut upper] = met(identity(0, 2), identity(1, 2));
    both_ways(&mut lower.data, &mut upper.data);
}

/// Sends much in both directions at once, as the engine does.
pub(super) fn both_ways(one: &mut Wire, two: &mut Wire) {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|it| it.wrapping_mul(it) as u8).collect();
    let ends = [one, two].map(|it| (it.try_clone().expect("open"), it.try_clone().expect("open")));
    let threads = ends.map(|(mut sends, mut receives)| {
        let sent = bytes.clone();
        let sender = spawn(move || {
            sends.write_all(&sent).expect("sent");
            sends.flush().expect("sent");
            sends.shutdown(Shutdown::Write).expect("closed");
        });
        let receiver = spawn(move || {
            let mut heard = Vec::new();
            receives.read_to_end(&mut heard).map(|_| heard).expect("heard")
        });
        (sender, receiver)
    });
    for (sender, receiver) in threads {
        sender.join().expect("no panic");
        assert!(receiver.join().expect("no panic") == bytes);
    }
}

#[test]
fn processes_that_do_not_fit_are_named_on_both_sides() {
    let mut other_job = identity(1, 2);
    other_job.card.job = "another".into();
    let mut other_version = identity(1, 2);
    other_version.card.version = "0.0.0-old".into();
    let mut other_workers = identity(1, 2);
    other_workers.card.workers = 7;
    let mut other_groups = identity(1, 2);
    other_groups.card.max_parallelism = 7;
    for (upper, what) in [
        (other_job, "the job is `"),
        (other_version, "0.0.0-old"),
        (other_workers, "-w/--threads is "),
        (other_groups, "--max-parallelism is "),
    ] {
        let began = Instant::now();
        for said in errors(identity(0, 2), upper) {
            assert!(said.contains("do not fit together") && said.contains(what), "{said}");
        }
        assert!(began.elapsed() < SOON, "they must not use up their patience");
    }
}

#[test]
fn processes_whose_host_files_differ_are_named() {
    // The third knows the first by the address of the second.
    let addresses = addresses(3);
    let second = meeting(identity(1, 3), &addresses, SOON);
    let mixed: Vec<_> = [1, 0, 2].iter().filter_map(|it| addresses.get(*it).cloned()).collect();
    let third = meeting(identity(2, 3), &mixed, SOON);
    for meeting in [second, third] {
        let error = meeting.join().expect("no panic").map(|_| ()).expect_err("mixed up");
        let said = format!("{error:#}");
        assert!(said.contains("process 2 called process 0 but found process 1"), "{said}");
    }
}

#[test]
fn without_the_secret_nobody_comes_in() {
    for key in [b"".as_slice(), b"another secret of these"] {
        let addresses = addresses(2);
        let listening = meeting(identity(0, 2), &addresses, Duration::from_millis(600));
        let mut stranger = identity(1, 2);
        stranger.secret = Secret::new(key);
        let knocking = meeting(stranger, &addresses, Duration::from_millis(300));
        let said = knocking.join().expect("no panic").map(|_| ()).expect_err("a stranger");
        assert!(format!("{said:#}").contains("do the secrets differ?"), "{said:#}");
        let said = listening.join().expect("no panic").map(|_| ()).expect_err("nobody came");
        assert!(format!("{said:#}").contains("in vain for process 1"), "{said:#}");
    }
}

#[test]
fn one_that_answers_without_the_secret_is_not_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let knocking = spawn(move || {
        let stream = knock(&address);
        let until = Instant::now() + SOON;
        identity(1, 2).call(stream, (0, &address), Purpose::Data, until)
    });
    // It does everything right but for the secret: the caller's proof it takes for granted.
    let (mut stream, _) = listener.accept().expect("a caller");
    let mut impostor = identity(0, 2);
    impostor.secret = Secret::new(b"another secret of these");
    let mut hello = [0; 11];
    stream.read_exact(&mut hello).expect("a greeting");
    let length = usize::from(u16::from_le_bytes([hello[9], hello[10]]));
    stream.read_exact(&mut vec![0; length]).expect("a hello");
    let own = own_hello(&impostor);
    stream.write_all(&own).expect("said");
    stream.read_exact(&mut [0; 32]).expect("a proof");
    stream.write_all(&[0; 33]).expect("said");
    let refused = knocking.join().expect("no panic").map(|_| ()).expect_err("an impostor");
    assert_eq!(refused.reason(), "it does not know the secret");
}

/// What a process says first when it calls process 0.
fn own_hello(identity: &Identity) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let stream = knock(&address);
    let heard = spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut head = [0; 11];
        stream.read_exact(&mut head).expect("a greeting");
        let mut body = vec![0; usize::from(u16::from_le_bytes([head[9], head[10]]))];
        stream.read_exact(&mut body).expect("a hello");
        [head.as_slice(), &body].concat()
    });
    let until = Instant::now() + SOON;
    let refused = identity.call(stream, (0, &address), Purpose::Data, until);
    assert!(matches!(refused, Err(Refused::Stranger(_))));
    heard.join().expect("no panic")
}

#[test]
fn strangers_do_not_keep_honest_processes_waiting() {
    let addresses = addresses(2);
    let address = &addresses[0];
    let listening = meeting(identity(0, 2), &addresses, SOON);
    let hello = own_hello(&identity(1, 2));
    let mut oversized = b"tidemill\x01".to_vec();
    oversized.extend(u16::MAX.to_le_bytes());
    let mut older = hello.clone();
    older[8] = 0;
    let mut damaged = hello.clone();
    damaged[11..].fill(0xff);
    let strangers: Vec<Vec<u8>> = vec![
        // Silent; a byte and no more; half open, with a right hello and no proof.
        Vec::new(),
        b"t".to_vec(),
        hello.clone(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        oversized,
        older,
        damaged,
        [hello.as_slice(), &[7; 32]].concat(),
    ];
    let mut open = Vec::new();
    for said in &strangers {
        let mut stream = knock(address);
        stream.write_all(said).expect("said");
        open.push(stream);
        // And one that says the same and leaves.
        let mut stream = knock(address);
        stream.write_all(said).expect("said");
        stream.shutdown(Shutdown::Write).expect("left");
        open.push(stream);
    }
    // More silent ones than there is room for.
    open.extend((0..100).map(|_| knock(address)));
    let began = Instant::now();
    let honest = meeting(identity(1, 2), &addresses, SOON);
    for meeting in [honest, listening] {
        meeting.join().expect("no panic").expect("they belong together");
    }
    eprintln!("met among strangers after {:?}", began.elapsed());
    // Now that the job runs, all strangers are out.
    for mut stream in open {
        drained(&mut stream);
    }
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn what_was_overheard_cannot_be_said_again() {
    let addresses = addresses(3);
    let listening = meeting(identity(0, 3), &addresses, SOON);
    // Process 1 calls through someone who listens in.
    let between = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listening_in = between.local_addr().expect("bound").to_string();
    let overheard = Arc::new(Mutex::new(Vec::new()));
    let (keep, server) = (Arc::clone(&overheard), addresses[0].clone());
    let tap = spawn(move || {
        // Its data first, then its heart.
        let calls: Vec<_> = (0..2).map(|_| relay(&between, &server)).collect();
        let said: Vec<Vec<u8>> = calls.into_iter().map(|it| it.join().expect("heard")).collect();
        *keep.lock().expect("not poisoned") = said;
    });
    let mut through = addresses.clone();
    through[0] = listening_in;
    let first = meeting(identity(1, 3), &through, Duration::from_millis(500));
    assert!(first.join().expect("no panic").is_err(), "the third has not come");
    tap.join().expect("no panic");
    // Both connections were accepted, and what was said on them opens nothing.
    let said = overheard.lock().expect("not poisoned").clone();
    assert_eq!(said.len(), 2);
    for bytes in said {
        let mut stream = knock(&addresses[0]);
        stream.write_all(&bytes).expect("said");
        let heard = drained(&mut stream);
        // Its hello, and no verdict.
        let length = usize::from(u16::from_le_bytes([heard[9], heard[10]]));
        assert_eq!(heard.len(), 11 + length);
    }
    assert!(listening.join().expect("no panic").is_err());
}

/// Passes a connection on both ways, and gives the first of what the caller said.
fn relay(between: &TcpListener, to: &str) -> JoinHandle<Vec<u8>> {
    let (mut caller, _) = between.accept().expect("a caller");
    let mut server = knock(to);
    let (mut back, mut from) =
        (caller.try_clone().expect("open"), server.try_clone().expect("open"));
    spawn(move || std::io::copy(&mut from, &mut back));
    spawn(move || {
        let mut head = [0; 11];
        caller.read_exact(&mut head).expect("a greeting");
        let mut rest = vec![0; usize::from(u16::from_le_bytes([head[9], head[10]])) + 32];
        server.write_all(&head).expect("passed on");
        let end = rest.len() - 32;
        let (hello, proof) = rest.split_at_mut(end);
        caller.read_exact(hello).expect("a hello");
        server.write_all(hello).expect("passed on");
        caller.read_exact(proof).expect("a proof");
        server.write_all(proof).expect("passed on");
        spawn(move || std::io::copy(&mut caller, &mut server));
        [head.as_slice(), &rest].concat()
    })
}

#[test]
fn a_second_process_with_the_same_index_is_turned_away() {
    let addresses = addresses(3);
    let address = addresses[0].as_str();
    let listening = meeting(identity(0, 3), &addresses, Duration::from_secs(1));
    let call = |identity: &Identity, purpose| {
        let until = Instant::now() + SOON;
        identity.call(knock(address), (0, address), purpose, until)
    };
    let [first, mut twin] = [identity(1, 3), identity(1, 3)];
    twin.incarnation = 99;
    let data = call(&first, Purpose::Data).expect("its place is free");
    let half_there = call(&twin, Purpose::Data);
    let heart = call(&first, Purpose::Heart).expect("its place is kept");
    let all_there = call(&twin, Purpose::Heart);
    for refused in [half_there, all_there] {
        let refused = refused.map(|_| ()).expect_err("another is there");
        assert!(matches!(&refused, Refused::Taken(_)), "{refused:?}");
        assert_eq!(refused.reason(), "it has a process 1 already");
    }
    let said = listening.join().expect("no panic").map(|_| ()).expect_err("one is missing");
    assert!(said.to_string().contains("in vain for process 2"), "{said}");
    drop((data, heart));
}

#[test]
fn waiting_ends_when_the_job_is_stopped() {
    let addresses = addresses(2);
    for index in [0, 1] {
        let patience = Patience::new(SOON, &|| true);
        let met = meet(&addresses, identity(index, 2), &ignore(), &patience);
        let said = met.map(|_| ()).expect_err("it was stopped").to_string();
        assert!(said.contains("was stopped while it waited"), "{said}");
        assert!(said.contains(&format!("for process {}", 1 - index)), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_door_panic(
        greeted in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut caller = TcpStream::connect(listener.local_addr().expect("bound")).expect("open");
        let (stream, _) = listener.accept().expect("it called");
        if greeted {
            caller.write_all(b"tidemill\x01").expect("sent");
            caller.write_all(&(bytes.len() as u16).to_le_bytes()).expect("sent");
        }
        caller.write_all(&bytes).expect("sent");
        caller.shutdown(Shutdown::Write).expect("closed");
        let refused = identity(0, 2).answer(stream, Instant::now() + SOON, |_| false);
        prop_assert!(matches!(refused, Err(Refused::Stranger(_))));
    }
}

#[test]
fn a_slow_stranger_is_put_out_at_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut caller = TcpStream::connect(listener.local_addr().expect("bound")).expect("open");
    let (stream, _) = listener.accept().expect("it called");
    let (stop, stopped) = channel::<()>();
    let drip = spawn(move || {
        // A byte now and then, each within any limit on a single read.
        for byte in own_hello(&identity(1, 2)) {
            let sent = caller.write_all(&[byte]);
            if sent.is_err() || stopped.recv_timeout(Duration::from_millis(5)).is_ok() {
                break;
            }
        }
    });
    let until = Instant::now() + Duration::from_millis(60);
    let refused = identity(0, 2).answer(stream, until, |_| false).expect_err("too slow");
    assert!(refused.reason().contains("too slow"), "{refused:?}");
    drop(stop);
    drip.join().expect("no panic");
}

const QUICK: Pace = Pace { beat: Duration::from_millis(20), silence: Duration::from_millis(60) };

/// A heart that beats on one end of a connection, the other end, and what it says of a loss.
fn heart(pace: Pace) -> (Heart, TcpStream, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = TcpStream::connect(listener.local_addr().expect("bound")).expect("open");
    let (stream, _) = listener.accept().expect("it called");
    let socket = Socket::new(stream, Instant::now() + SOON, SOON).expect("open");
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let on_loss: OnLoss = Arc::new(move |other, reason| {
        let _ = tell.lock().expect("not poisoned").send(format!("{other}: {reason}"));
    });
    (Heart::start(3, Wire::Plain(socket), pace, on_loss).expect("a thread"), other, told)
}

#[test]
fn a_silent_process_is_lost() {
    let (_heart, other, told) = heart(QUICK);
    assert_eq!(
        told.recv_timeout(SOON).expect("lost"),
        "3: nothing heard for 60ms (--heartbeat-ms)"
    );
    drop(other);
}

#[test]
fn a_process_whose_connection_ends_is_lost() {
    let (_heart, other, told) = heart(QUICK);
    drop(other);
    let said = told.recv_timeout(SOON).expect("lost");
    assert!(said.starts_with("3: "), "{said}");
}

#[test]
fn a_process_that_says_goodbye_is_not_lost() {
    let (heart, mut other, told) = heart(QUICK);
    other.write_all(&[1, 1, 2]).expect("said");
    drop(other);
    // The thread ends and tells nothing.
    told.recv_timeout(SOON).expect_err("not lost");
    drop(heart);
}

#[test]
fn a_process_that_leaves_says_goodbye() {
    let (heart, mut other, told) = heart(QUICK);
    drop(heart);
    assert!(drained(&mut other).ends_with(&[2]));
    told.recv_timeout(SOON).expect_err("nobody is lost");
}

#[test]
fn signs_of_life_keep_a_process() {
    let pace = Pace { beat: Duration::from_millis(5), silence: Duration::from_millis(500) };
    let (heart, mut other, told) = heart(pace);
    // Three times as long as a silence may last.
    for _ in 0..300 {
        other.read_exact(&mut [0]).expect("a beat");
        other.write_all(&[1]).expect("said");
    }
    assert!(told.try_recv().is_err());
    drop(heart);
}
