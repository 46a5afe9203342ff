//! Which thread of the operating system has a session, as the lists of proxies show it.

/// The number of the thread that asks, which is its process's for the first one; 0 where the system does not tell.
pub(super) fn current() -> u32 {
    thread_local! {
        static NUMBER: u32 = told().unwrap_or(0);
    }
    NUMBER.with(|number| *number)
}

/// Linux: a link to `<process>/task/<thread>`.
fn told() -> Option<u32> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_number() {
        let other = std::thread::spawn(current).join().unwrap();
        assert!(current() != 0 && other != 0 && current() != other);
        assert_eq!(current(), current());
    }
}
