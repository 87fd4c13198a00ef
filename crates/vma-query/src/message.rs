//! Messages over a Unix socket that carry descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

/// A received message.
#[derive(Debug)]
pub(crate) struct Received {
    /// The length of its payload in bytes; 0 if the other end is closed.
    pub(crate) bytes: usize,
    /// All descriptors that arrived with it. Dropping them closes them.
    pub(crate) files: Vec<OwnedFd>,
    /// Whether control data was cut off: it did not fit the buffer, or this process may
    /// not open that many files.
    pub(crate) cut_off: bool,
}

/// The size of the control buffer: room for as many descriptors as a message can have
/// (`SCM_MAX_FD`, 253), and for credentials and security labels if they are enabled on
/// the socket.
const CONTROL_ROOM: usize = 8192;

/// `SCM_PIDFD` (Linux 6.5), which carries a descriptor too.
const SCM_PIDFD: i32 = 4;

/// The bytes of a control message before its data: length, level and type.
const CONTROL_HEADER: usize = size_of::<usize>() + 2 * size_of::<i32>();

/// Sends one message that carries these descriptors. The call is repeated when a signal
/// interrupts it, and raises no `SIGPIPE`.
///
/// # Errors
/// Those of `sendmsg`.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    payload: &mut [u8],
    files: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let rights = files.len().saturating_mul(size_of::<RawFd>());
    let len = CONTROL_HEADER.saturating_add(rights);
    let mut control = Vec::with_capacity(len);
    control.extend(len.to_ne_bytes());
    control.extend(libc::SOL_SOCKET.to_ne_bytes());
    control.extend(libc::SCM_RIGHTS.to_ne_bytes());
    control.extend(files.iter().flat_map(|file| file.as_raw_fd().to_ne_bytes()));
    control.resize(len.next_multiple_of(size_of::<usize>()), 0);
    with_message(payload, &mut control, |message| {
        // SAFETY: `message` leads to two buffers that live while it does, and the call only
        // reads them.
        unsafe { libc::sendmsg(socket.as_raw_fd(), message, libc::MSG_NOSIGNAL) }
    })
    .map(drop)
}

/// Receives one message, and takes ownership of every descriptor in it. The call is
/// repeated when a signal interrupts it.
///
/// # Errors
/// Those of `recvmsg`.
pub(crate) fn receive(socket: BorrowedFd<'_>, payload: &mut [u8]) -> Result<Received, Errno> {
    // Zeroed, so that the end of the control messages is recognized by a zero length.
    let mut control = vec![0; CONTROL_ROOM];
    let (bytes, flags) = with_message(payload, &mut control, |message| {
        // SAFETY: `message` leads to two buffers that are borrowed mutably while it lives,
        // with their lengths: the call writes no further.
        unsafe { libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) }
    })?;
    let own = |raw| {
        // SAFETY: the kernel wrote this number into `control` for a descriptor that it
        // opened in this call. The buffer is local and was zeroed before, so it contains
        // no other numbers, and nothing else owns the descriptor.
        unsafe { OwnedFd::from_raw_fd(raw) }
    };
    Ok(Received {
        bytes,
        files: descriptors(&control).into_iter().map(own).collect(),
        cut_off: flags & libc::MSG_CTRUNC != 0,
    })
}

/// Calls `transfer` with a message of these two buffers until no signal interrupts it.
/// Returns the bytes of the payload that it moved, and the message's flags.
fn with_message(
    payload: &mut [u8],
    control: &mut [u8],
    transfer: impl Fn(&mut libc::msghdr) -> libc::ssize_t,
) -> Result<(usize, i32), Errno> {
    // Of another type in each C library: both take 16 bits.
    let control_len = u16::try_from(control.len()).map_err(|_| Errno::EMSGSIZE)?;
    loop {
        let mut payload = libc::iovec {
            iov_base: payload.as_mut_ptr().cast(),
            iov_len: payload.len(),
        };
        // SAFETY: its fields are numbers and pointers, which may all be zero.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut payload;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = control_len.into();
        match Errno::result(transfer(&mut message)) {
            Ok(bytes) => return Ok((usize::try_from(bytes).unwrap_or(0), message.msg_flags)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Returns the numbers of all descriptors in control data. Its layout, from `cmsg(3)`:
/// length including the header, level and type, data, padding.
fn descriptors(control: &[u8]) -> Vec<RawFd> {
    const LEVEL: usize = size_of::<usize>();
    const KIND: usize = LEVEL + size_of::<i32>();
    const DATA: usize = CONTROL_HEADER;
    let int = |bytes: &[u8]| bytes.try_into().map(i32::from_ne_bytes).ok();
    let mut found = Vec::new();
    let mut rest = control;
    while let Some((len, _)) = rest.split_first_chunk() {
        let len = usize::from_ne_bytes(*len);
        let Some(message) = rest.get(..len.min(rest.len())).filter(|_| len >= DATA) else {
            break;
        };
        let level = message.get(LEVEL..KIND).and_then(int);
        let kind = message.get(KIND..DATA).and_then(int);
        if level == Some(libc::SOL_SOCKET) && matches!(kind, Some(libc::SCM_RIGHTS | SCM_PIDFD)) {
            let numbers = message.get(DATA..).unwrap_or_default().chunks_exact(4);
            // A pidfd that could not be created is a negative errno.
            found.extend(numbers.filter_map(int).filter(|number| *number >= 0));
        }
        let padded = len.checked_next_multiple_of(size_of::<usize>());
        rest = padded.and_then(|len| rest.get(len..)).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::{SCM_PIDFD, descriptors};

    type Messages<'a> = &'a [(i32, i32, &'a [i32])];

    fn control(messages: Messages<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (level, kind, data) in messages {
            let len = size_of::<usize>() + 8 + size_of_val(*data);
            bytes.extend(len.to_ne_bytes());
            for number in [level, kind].into_iter().chain(*data) {
                bytes.extend(number.to_ne_bytes());
            }
            bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        }
        bytes
    }

    #[test]
    fn every_descriptor_in_control_data_is_found() {
        let socket = libc::SOL_SOCKET;
        let (rights, credentials) = (libc::SCM_RIGHTS, libc::SCM_CREDENTIALS);
        let cases: [(Messages<'_>, &[i32]); 6] = [
            (&[], &[]),
            (&[(socket, rights, &[7])], &[7]),
            (&[(socket, rights, &[7, 8, 9])], &[7, 8, 9]),
            (
                &[(socket, credentials, &[1, 2, 3]), (socket, rights, &[4])],
                &[4],
            ),
            (
                &[(socket, SCM_PIDFD, &[5]), (socket, SCM_PIDFD, &[-3])],
                &[5],
            ),
            (&[(socket + 1, rights, &[6])], &[]),
        ];
        for (messages, want) in cases {
            let mut bytes = control(messages);
            assert_eq!(descriptors(&bytes), want, "{messages:?}");
            bytes.extend([0; 64]);
            assert_eq!(descriptors(&bytes), want, "zeros end {messages:?}");
        }
        let mut long = control(&[(socket, rights, &[7, 8])]);
        long[0] = 0xff;
        assert_eq!(descriptors(&long), [7, 8], "a length beyond the end");
        for len in 0..long.len() {
            let _ = descriptors(&long[..len]);
        }
    }
}
