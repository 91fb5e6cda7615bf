//! On which processor a child runs.
//!
//! On a machine that is shared, one processor may be slow while the other is not. What is
//! compared with what came before and after must have run on the same one.

/// The processors that this process may use, where the system says so.
#[derive(Debug, Default)]
pub struct Processors {
    #[cfg(target_os = "linux")]
    all: Option<rustix::thread::CpuSet>,
}

#[cfg(target_os = "linux")]
impl Processors {
    /// Those of this process.
    pub fn new() -> Processors {
        let all = rustix::thread::sched_getaffinity(None).ok();
        Processors { all }
    }

    /// Keeps the first thread of a process on one of them, another for each number. Those that
    /// it has already started stay where they are.
    pub fn keep_on_one(&self, process: u32, number: usize) {
        use rustix::thread::CpuSet;

        let Some(all) = &self.all else { return };
        let count = all.count().max(1) as usize;
        let mut set = (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor));
        let mut one = CpuSet::new();
        if let Some(processor) = set.nth(number % count) {
            one.set(processor);
            keep_on(process, &one);
        }
    }

    /// Lets it run on all of them again.
    pub fn let_go(&self, process: u32) {
        if let Some(all) = &self.all {
            keep_on(process, all);
        }
    }
}

#[cfg(target_os = "linux")]
fn keep_on(process: u32, set: &rustix::thread::CpuSet) {
    let process = i32::try_from(process).ok();
    let process = process.and_then(rustix::thread::Pid::from_raw);
    if process.is_some() {
        // Without it, more turns are disturbed.
        let _ = rustix::thread::sched_setaffinity(process, set);
    }
}

#[cfg(not(target_os = "linux"))]
impl Processors {
    /// It cannot be asked for here.
    pub fn new() -> Processors {
        Processors::default()
    }

    /// Does nothing here.
    pub fn keep_on_one(&self, _process: u32, _number: usize) {}

    /// Does nothing here.
    pub fn let_go(&self, _process: u32) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_kept_on_one_and_let_go_again() {
        let processors = Processors::new();
        let all = processors.all.as_ref().expect("Linux says so").count();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("a child");
        let pid = rustix::thread::Pid::from_raw(child.id() as i32);
        let count = || rustix::thread::sched_getaffinity(pid).unwrap().count();
        for number in 0..4 {
            processors.keep_on_one(child.id(), number);
            assert_eq!(count(), 1);
        }
        processors.let_go(child.id());
        assert_eq!(count(), all);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}
