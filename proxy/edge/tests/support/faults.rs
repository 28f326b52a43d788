//! What a test does to a running gateway's disk from outside, without rights of its own: it stops a thread at a system
//! call, or lets no file be written to.

use std::fs;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::PATIENCE;

/// Calls that change a file.
pub const WRITING: &[libc::c_long] = &[libc::SYS_pwrite64, libc::SYS_write, libc::SYS_pwritev, libc::SYS_pwritev2];
/// Calls that put what is written on the device.
pub const SYNCING: &[libc::c_long] = &[libc::SYS_fdatasync, libc::SYS_fsync];

/// A thread that will be stopped before its next call of a kind, or is. It goes on when this is dropped.
pub struct Held {
    arrived: Receiver<()>,
    is_there: bool,
    _go_on: SyncSender<()>,
}

impl Held {
    /// Of the process, the thread of that name; returns when it cannot pass unseen any more.
    pub fn at(pid: u32, thread: &str, calls: &'static [libc::c_long]) -> Self {
        let thread = thread_of(pid, thread);
        let (is_followed, followed) = sync_channel(1);
        let (arrive, arrived) = sync_channel(1);
        let (go_on, released) = sync_channel(1);
        std::thread::spawn(move || follow(thread, calls, &is_followed, &arrive, &released));
        followed.recv_timeout(PATIENCE).unwrap();
        Self { arrived, is_there: false, _go_on: go_on }
    }

    /// Waits until it stands before such a call.
    pub fn wait(&mut self) {
        if !self.is_there {
            self.arrived.recv_timeout(PATIENCE).unwrap();
            self.is_there = true;
        }
    }
}

fn thread_of(pid: u32, name: &str) -> libc::pid_t {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|thread| thread.unwrap().path());
    let named = |path: &std::path::PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let thread = threads.into_iter().find(named).unwrap();
    thread.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn follow(
    thread: libc::pid_t,
    calls: &[libc::c_long],
    is_followed: &SyncSender<()>,
    arrive: &SyncSender<()>,
    released: &Receiver<()>,
) {
    let is_at_end = || matches!(released.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
    trace(libc::PTRACE_SEIZE, thread, 0, libc::PTRACE_O_TRACESYSGOOD as usize);
    trace(libc::PTRACE_INTERRUPT, thread, 0, 0);
    let mut is_new = true;
    // It ends with the process at the latest.
    while let Some(signal) = stopped(thread) {
        if std::mem::take(&mut is_new) {
            is_followed.send(()).unwrap();
        }
        if is_at_end() {
            break;
        }
        if signal == libc::SIGTRAP | 0x80 && calls.contains(&entered(thread)) {
            arrive.send(()).unwrap();
            // Nothing is ever sent: it is dropped.
            let _dropped = released.recv();
            break;
        }
        let is_own = signal & !0x80 == libc::SIGTRAP;
        trace(libc::PTRACE_SYSCALL, thread, 0, if is_own { 0 } else { signal as usize });
    }
    trace(libc::PTRACE_DETACH, thread, 0, 0);
}

#[allow(unsafe_code, reason = "there is no other way to follow a thread")]
fn trace(request: libc::c_uint, thread: libc::pid_t, address: usize, data: usize) {
    // SAFETY: these requests take numbers alone; one that is refused (the thread is gone) does nothing.
    unsafe { libc::ptrace(request, thread, address, data) };
}

/// Waits until the thread stands still; for what, unless it has ended.
#[allow(unsafe_code, reason = "there is no other way to follow a thread")]
fn stopped(thread: libc::pid_t) -> Option<libc::c_int> {
    let mut status = 0;
    // SAFETY: the status is a place for what it says.
    let waited = unsafe { libc::waitpid(thread, &mut status, libc::__WALL) };
    (waited == thread && libc::WIFSTOPPED(status)).then(|| libc::WSTOPSIG(status))
}

/// The call that a thread stands before; -1 behind one.
#[allow(unsafe_code, reason = "there is no other way to follow a thread")]
fn entered(thread: libc::pid_t) -> libc::c_long {
    // SAFETY: plain numbers, all of which may be zero; the kernel writes no more than it is told there is room for, and
    // what it says the union holds is looked at first.
    unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of_val(&info);
        libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, &raw mut info);
        if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY { info.u.entry.nr as libc::c_long } else { -1 }
    }
}

/// Processes that are started from here on outlive [`forbid_writes`].
#[allow(unsafe_code, reason = "there is no other way to have a signal ignored by a child")]
pub fn outlive_refused_writes() {
    // SAFETY: a signal that nobody here has a handler for; a new process ignores what its parent does.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// From now on every write to a file fails, or none any more.
#[allow(unsafe_code, reason = "there is no other way to set another process's limits")]
pub fn forbid_writes(pid: u32, forbidden: bool) {
    let (pid, file_size) = (pid as libc::pid_t, libc::RLIMIT_FSIZE);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limits of a child of ours, read into and out of a place of its type.
    let set = unsafe {
        libc::prlimit(pid, file_size, std::ptr::null(), &raw mut limit);
        limit.rlim_cur = if forbidden { 0 } else { limit.rlim_max };
        libc::prlimit(pid, file_size, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(set, 0);
}
