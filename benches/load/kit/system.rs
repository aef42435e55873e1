//! What /proc tells, and which core a process runs on.

use std::fs;

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};

/// CPU time of all threads of a process, in nanoseconds.
pub fn cpu_ns(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let of_thread = |path: std::path::PathBuf| -> Option<u64> {
        fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    threads.into_iter().flatten().flatten().filter_map(|thread| of_thread(thread.path())).sum()
}

/// Clock ticks that a process spent in its own code and in the kernel: coarse, good for the ratio of the two.
pub fn ticks(process: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field, the name, may hold anything but ends with the last parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let mut ticks = fields.skip(11).map(|ticks| ticks.parse().unwrap_or_default());
    (ticks.next().unwrap_or_default(), ticks.next().unwrap_or_default())
}

/// Resident memory of a process, in KiB.
pub fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}

pub fn own_cpu_ns() -> u64 {
    cpu_ns(std::process::id())
}

/// Keeps the calling thread, and what it starts, to these cores. Where there is only one, does nothing.
pub fn pin_to(kept: &[usize]) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Asked of the machine and not of this thread, which may be pinned already.
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    if cores < 2 && online.trim() == "0" {
        return false;
    }
    let mut set = CpuSet::new();
    kept.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None::<Pid>, &set).is_ok()
}
