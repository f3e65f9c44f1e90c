//! Keyed state on disk: a job whose state does not fit in the memory it is given.

use std::convert::Infallible;

use tidemill::prelude::*;

/// Texts per key, so large that most of them leave memory, and a timer for each.
struct Texts {
    text: ValueState<String>,
}

impl Process for Texts {
    type Key = u32;
    type Record = u32;
    type Output = (u32, usize);
    type Side = Infallible;

    fn on_record(&self, number: u32, context: &mut Context<'_, u32, (u32, usize)>) {
        let text = context.state(&self.text).or_default();
        text.extend(std::iter::repeat_n('x', number as usize % 1_000));
        if number.is_multiple_of(10) {
            context.set_event_timer(context.time().saturating_add(seconds(500)));
        }
    }

    fn on_event_timer(&self, _: EventTime, context: &mut Context<'_, u32, (u32, usize)>) {
        if let Some(text) = context.state(&self.text).take() {
            context.emit((*context.key(), text.len()));
        }
    }
}

fn run(settings: Settings) -> Vec<(u32, usize)> {
    let given = collect::<(u32, usize)>();
    let sink = given.clone();
    let job = Job::new("texts", settings.quiet().epoch_rows(500));
    let ran = job.run(move |flow| {
        let numbers = iterate(|| (0..60_000u32).map(|it| (it * 7_919 % 10_007, it)));
        flow.read(numbers)?
            .event_time(|it| EventTime::from_secs(i64::from(it.1) / 20), Disorder::ascending())
            .key_value(|it| it)
            .process(|states| Texts { text: states.value("text") })
            .values()
            .write(sink.clone())
    });
    ran.expect("the job ends");
    given.sorted()
}

#[test]
fn state_on_disk_gives_what_state_in_memory_gives() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let expected = run(Settings::default());
    assert!(expected.len() > 1_000);
    for workers in [1, 2] {
        let settings = Settings::default().workers(workers).state_on_disk(folder.path(), 1);
        assert_eq!(run(settings), expected, "{workers} workers");
    }
    let left = folder.path().join("texts").join("0");
    assert!(!left.exists(), "the files of a run go with it");
}
