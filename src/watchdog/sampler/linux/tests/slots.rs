//! The slot, without signals.

use super::super::slot::{self, Asker, Question};
use super::*;

/// Some number that no other thread has.
const THREAD: i32 = 4_000_000;

fn question(mark: &AtomicU64, number: usize) -> Question {
    Question {
        handle: number,
        stack: 0..0,
        mark,
        with_task: false,
    }
}

#[test]
fn an_answer_that_is_late_is_none() {
    let _alone = alone();
    let mut asker = Asker::claim().expect("there is none");
    let mark = AtomicU64::new(0);
    let nobody = asker.ask(THREAD, question(&mark, 1), Duration::ZERO, || {
        Ok::<_, ()>(())
    });
    assert!(nobody.is_ok_and(|answer| answer.is_none()));
    slot::answer(THREAD, |_, _, _| panic!("the question was given up"));

    let refused = asker.ask(THREAD, question(&mark, 2), Duration::ZERO, || {
        Err("refused")
    });
    assert_eq!(refused.err(), Some("refused"));
    slot::answer(THREAD, |_, _, _| panic!("the question was given up"));

    let send = || {
        slot::answer(THREAD + 1, |_, _, _| panic!("another was asked"));
        slot::answer(THREAD, |question, answer, words| {
            words[0] = question.handle as u64;
            answer.length = 1;
        });
        slot::answer(THREAD, |_, _, _| panic!("once is enough"));
        Ok::<_, ()>(())
    };
    let answer = asker.ask(THREAD, question(&mark, 3), Duration::ZERO, send);
    assert_eq!(
        answer.map(|answer| answer.map(|(_, words)| words)),
        Ok(Some(&[3][..]))
    );
}

#[test]
fn an_answer_that_has_begun_is_waited_for() {
    let _alone = alone();
    let mut asker = Asker::claim().expect("there is none");
    let mark = AtomicU64::new(0);
    let (tell, begun) = channel();
    let mut worker = None;
    let send = || {
        let slowly = move |_: &AtomicBool| {
            slot::answer(THREAD, |_, answer, words| {
                tell.send(()).expect("somebody listens");
                std::thread::sleep(Duration::from_millis(50));
                words[0] = 7;
                answer.length = 1;
            });
        };
        worker = Some(Worker::new(slowly, || {}));
        begun.recv()
    };
    let answer = asker.ask(THREAD, question(&mark, 1), Duration::ZERO, send);
    assert_eq!(
        answer.map(|answer| answer.map(|(_, words)| words)),
        Ok(Some(&[7][..]))
    );
}

#[test]
fn answers_and_questions_do_not_mix() {
    let _alone = alone();
    let mut asker = Asker::claim().expect("there is none");
    // Two threads answer whenever they may, as late signals do: their words are all
    // of one question, and of the thread that was asked.
    let answers = |thread: i32| {
        move |stop: &AtomicBool| {
            while !stop.load(SeqCst) {
                slot::answer(thread, |question, answer, words| {
                    let word = (question.handle as u64) << 32 | thread as u64;
                    words[..1000].fill(word);
                    answer.length = 1000;
                });
            }
        }
    };
    let _first = Worker::new(answers(THREAD), || {});
    let _second = Worker::new(answers(THREAD + 1), || {});
    let mark = AtomicU64::new(0);
    let (mut given_up, mut answered) = (0, 0);
    for number in 0..20_000usize {
        let thread = THREAD + (number % 2) as i32;
        // Most are given up at once, some while they are answered.
        let limit = Duration::from_millis(if number % 50 == 0 { 250 } else { 0 });
        let answer = asker.ask(thread, question(&mark, number), limit, || Ok::<_, ()>(()));
        let Ok(Some((_, words))) = answer else {
            given_up += 1;
            continue;
        };
        answered += 1;
        let expected = (number as u64) << 32 | thread as u64;
        assert_eq!(words.len(), 1000);
        assert!(words.iter().all(|word| *word == expected));
    }
    assert!(given_up > 0 && answered > 0, "{given_up} and {answered}");
}
