//! The frame around a gRPC message.
//!
//! Owns: taking a message out of its frame and putting another one in.
//! Always holds: what is no single plain frame is left alone.
//! Deliberately does not know: messages.

use bytes::Bytes;

/// Bytes before a message: whether it is compressed, and its length.
const HEADER: usize = 5;

/// The body with its one message changed.
pub(super) fn change(body: &Bytes, change: fn(Vec<u8>) -> Vec<u8>) -> Option<Bytes> {
    let message = body.get(HEADER..)?;
    let length = u32::from_be_bytes(body.get(1..HEADER)?.try_into().ok()?);
    if body[0] != 0 || message.len() != usize::try_from(length).ok()? {
        return None;
    }
    let changed = change(message.to_vec());
    let length = u32::try_from(changed.len()).ok()?;
    let mut framed = vec![0];
    framed.extend(length.to_be_bytes());
    framed.extend(changed);
    Some(framed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_changed_inside_its_frame() {
        let body = Bytes::from_static(&[0, 0, 0, 0, 2, 7, 8]);
        let changed = change(&body, |message| message[..1].to_vec());
        assert_eq!(changed, Some(Bytes::from_static(&[0, 0, 0, 0, 1, 7])));
        assert_eq!(change(&Bytes::from_static(&[1, 0, 0, 0, 0]), |it| it), None);
        assert_eq!(change(&Bytes::from_static(&[0, 0]), |it| it), None);
    }
}
