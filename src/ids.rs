//! The numbers in tokio's ids.

use std::hash::{Hash, Hasher};

/// An id gives its number away to nobody but a hasher, short of formatting it.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The number of a task's or a runtime's id; they count up from 1.
#[inline]
pub(crate) fn number(id: impl Hash) -> u64 {
    let mut number = Number(0);
    id.hash(&mut number);
    number.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_number_that_is_printed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("it can be built");
        let id = runtime.handle().id();
        assert_eq!(number(id).to_string(), id.to_string());
        let id = runtime.block_on(async { tokio::spawn(async {}).id() });
        assert_eq!(number(id).to_string(), id.to_string());
    }
}
