//! Unix sockets: who is at the other end, and handing descriptors over.

use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use super::check;

/// Room for one descriptor, aligned as a control message must be.
#[repr(align(8))]
struct Control([u8; 64]);

/// User of the process at the other end, as the kernel saw it when it connected.
pub fn peer_user(socket: &UnixStream) -> io::Result<u32> {
    // SAFETY: ucred is plain data, and its size is what the call is told.
    unsafe {
        let mut peer: libc::ucred = std::mem::zeroed();
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        let option = libc::SO_PEERCRED;
        let to = (&raw mut peer).cast();
        check(libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, to, &mut length))?;
        Ok(peer.uid)
    }
}

/// Sends bytes and a descriptor with the first of them; returns how many bytes went.
pub fn send_descriptor(
    socket: &UnixStream,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> io::Result<usize> {
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the message points to `part` and `control`, which outlive the call; the control
    // buffer has room for one descriptor and is aligned, so that CMSG_FIRSTHDR and CMSG_DATA
    // stay inside it. sendmsg only reads `bytes`.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        let data = libc::CMSG_DATA(header).cast::<i32>();
        data.write_unaligned(descriptor.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives bytes, and the descriptor that came with them, if one did. 0 bytes are the end.
pub fn receive(socket: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: as for sending; recvmsg writes at most what the lengths say.
    let (length, descriptor) = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let flags = libc::MSG_CMSG_CLOEXEC;
        let length = libc::recvmsg(socket.as_raw_fd(), &mut message, flags);
        (length, (length >= 0).then(|| received(&message)).flatten())
    };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok((length, descriptor))
}

/// # Safety
/// The message was filled by a successful `recvmsg` and its control buffer is still there.
unsafe fn received(message: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: the caller promises a message of the kernel's making, so a header, if there is
    // one, lies in the buffer, with its data behind it; with room for one descriptor only, the
    // kernel delivers at most one, which is ours to own.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message).as_ref()?;
        let is_one = header.cmsg_level == libc::SOL_SOCKET
            && header.cmsg_type == libc::SCM_RIGHTS
            && header.cmsg_len >= libc::CMSG_LEN(4) as usize;
        is_one.then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        io::{Read, Seek, Write},
        os::fd::AsFd,
    };

    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut file = crate::sys::file::in_memory(c"test").unwrap();
        file.write_all(b"inside").unwrap();
        assert_eq!(send_descriptor(&ours, b"take", file.as_fd()).unwrap(), 4);
        (&ours).write_all(b"more").unwrap();
        let mut bytes = [0; 16];
        let (length, descriptor) = receive(&theirs, &mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"take");
        let mut text = String::new();
        let mut copy = File::from(descriptor.unwrap());
        copy.rewind().unwrap();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        let (length, descriptor) = receive(&theirs, &mut bytes).unwrap();
        assert_eq!((length, descriptor.is_none()), (4, true));
        drop(ours);
        assert_eq!(receive(&theirs, &mut bytes).unwrap().0, 0);
        assert_eq!(peer_user(&theirs).unwrap(), crate::sys::file::credentials().effective_user);
    }
}
