//! See [`crate::fuzzing`].

use super::mangling;
use super::print::{self, Frame};
use super::trim::{self, Owner, owner};
pub(crate) use super::unwind::native::damage::walks;
use crate::config::StackMode;

/// How many words of a copy are kept (0: all), and what is done to some of them: which,
/// in what way, and a number.
pub type Damage = (u16, Vec<(u16, u8, u64)>);

pub(crate) fn trims(frames: &[(String, Option<String>)], mode: StackMode) {
    let frame = |(function, file): &(String, Option<String>)| Frame {
        function: function.clone(),
        file: file.clone(),
        line: Some(1),
        column: None,
    };
    let frames: Vec<Frame> = frames.iter().map(frame).collect();
    let users = |frames: &[Frame]| {
        let is_users = |frame: &&Frame| owner(frame) == Owner::User;
        frames.iter().filter(is_users).cloned().collect::<Vec<_>>()
    };
    let stack = trim::trim(frames.clone(), mode);
    assert_eq!(users(stack.frames()), users(&frames));
    assert!(is_part(stack.frames(), &frames));
    match mode {
        StackMode::Full => assert_eq!(stack.hidden(), 0),
        _ => assert_eq!(stack.frames().len() + stack.hidden(), frames.len()),
    }
    assert!(stack.to_string().lines().count() >= stack.frames().len());

    let live = trim::trim_live(frames.clone(), mode, true);
    assert_eq!(live.at.as_ref(), users(&frames).first());
    assert!(is_part(live.stack.frames(), &frames));
    assert_eq!(
        live.stack.frames().len() + live.stack.hidden(),
        frames.len()
    );
    assert_eq!(frames.is_empty(), live.stack.frames().is_empty());
    for frame in &frames {
        let shown = print::without_closures(&frame.function);
        assert!(frame.function.starts_with(shown));
        assert_eq!(frame.place().is_some(), frame.file.is_some());
        let older = mangling::older(&frame.function);
        let is_plain = !frame.function.contains(['<', '{']);
        assert!(!is_plain || older == frame.function);
    }
}

/// Whether `part` is what is left when some of `whole` is left out.
fn is_part(part: &[Frame], whole: &[Frame]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|frame| whole.any(|other| other == frame))
}
