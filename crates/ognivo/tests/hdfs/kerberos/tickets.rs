//! A stream outlives its tickets: a renewed one is picked up, one that has run out is waited for.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Login;
use crate::cluster::{Server, Trial, told};
use crate::loans::StreamForm;

const N_FILES: u64 = 12;

/// A life that no test sees the end of.
const LONG_S: u32 = 1800;

/// A stream whose files arrive one by one.
struct Stream<'a> {
    trial: &'a Trial,
    child: Child,
}

impl<'a> Stream<'a> {
    /// One that runs until it is asked to stop.
    fn start(trial: &'a Trial, login: &'a Login) -> Stream<'a> {
        let form = StreamForm { trigger: "{processingTime: 1 second}", ..StreamForm::default() };
        let job = trial.write_job("run", form);
        let text = std::fs::read_to_string(trial.loans.place.at(&job)).unwrap();
        trial.loans.place.write(&job, &text.replace("/incoming", "/arriving"));
        let mut command = trial.loans.place.command(&["stream", &job, "--progress", "none"]);
        let said = File::options().create(true).append(true).open(trial.loans.place.at("said")).unwrap();
        command.env("KRB5CCNAME", login.name()).stdout(Stdio::null()).stderr(said);
        Stream { trial, child: command.spawn().unwrap() }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.trial.loans.place.at("said")).unwrap()
    }

    /// Lets a file arrive and waits until its batch is done.
    fn feed(&self, file: u64) {
        self.arrive(file);
        self.wait_for_batch(file);
    }

    fn arrive(&self, file: u64) {
        let root = &self.trial.root;
        let [from, to] = ["incoming", "arriving"].map(|folder| format!("{root}/{folder}/{file:05}.csv"));
        // A NameNode that was just started is in safe mode for a moment.
        self.wait_until("a file has arrived", || self.trial.fs(&["mv", &from, &to]).code == Some(0));
    }

    fn is_done(&self, batch: u64) -> bool {
        self.trial.fs(&["ls", &format!("{}/run/checkpoint/commits/{batch}", self.trial.root)]).code == Some(0)
    }

    fn wait_for_batch(&self, batch: u64) {
        self.wait_until(&format!("batch {batch} is done"), || self.is_done(batch));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        // A busy machine takes a minute to start a NameNode; the stream itself gives up after five.
        const DEADLINE: Duration = Duration::from_secs(240);
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < DEADLINE, "not so: {what}; it said {}", self.said());
            sleep(Duration::from_millis(200));
        }
    }

    /// Asks it to stop, and takes that it does so in peace.
    fn stop(mut self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.code(), Some(0), "{}", self.said());
    }
}

impl Drop for Stream<'_> {
    /// A test that failed leaves no stream behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Takes every connection from the stream, so that it has to log in again: who is in stays in, whatever becomes of his ticket.
fn restart_name_node() {
    let name_node = Server::of("namenode");
    name_node.signal("KILL");
    sleep(Duration::from_secs(1));
    name_node.start();
}

fn life() -> Duration {
    Duration::from_secs(told("OGNIVO_TICKET_LIFE_S").parse().unwrap())
}

#[test]
fn a_stream_goes_on_with_a_renewed_ticket_waits_without_one_and_resumes() {
    let trial = Trial::new("tickets", N_FILES, 3);
    trial.fs(&["mkdir", &format!("{}/arriving", trial.root)]).ok();
    let (login, life) = (Login::new(&trial, "tickets.cc"), life());
    let life_s = u32::try_from(life.as_secs()).unwrap();
    login.fetch(life_s);
    let stream = Stream::start(&trial, &login);
    stream.feed(0);

    // The ticket that it has logged in with has run out when this is over.
    let begin = Instant::now();
    let mut files = 1..;
    let renewal = login.renew_every(life_s / 4);
    for half_lives in 1..=3_u32 {
        while begin.elapsed() < life * half_lives / 2 {
            sleep(Duration::from_millis(100));
        }
        stream.feed(files.next().unwrap());
    }
    drop(renewal);
    assert_eq!(stream.said(), "", "nothing was to be waited for");
    login.fetch(LONG_S);
    restart_name_node();
    stream.feed(files.next().unwrap());
    assert!(!stream.said().contains("Kerberos"), "it logs in with the newest: {}", stream.said());

    // Nobody renews: it says what it waits for.
    login.fetch(life_s);
    sleep(life + Duration::from_secs(2));
    restart_name_node();
    let late = files.next().unwrap();
    stream.arrive(late);
    let expired = "the Kerberos ticket of alice@LAB.TEST has expired";
    stream.wait_until("it waits, and says for what", || {
        let said = stream.said();
        said.lines().any(|line| line.starts_with("waiting ") && line.contains(expired))
    });
    assert!(!stream.is_done(late));
    login.fetch(LONG_S);
    stream.wait_for_batch(late);
    stream.feed(files.next().unwrap());
    stream.stop();

    // What is left is read by the next process.
    let stream = Stream::start(&trial, &login);
    files.take_while(|file| *file < N_FILES).for_each(|file| stream.feed(file));
    stream.stop();
    assert_eq!(trial.check("run").batches, N_FILES);
}
