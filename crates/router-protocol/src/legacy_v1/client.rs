//! The portal's end of the link to an original daemon.

use super::{ANSWER_FAIL, ANSWER_OK, IV_BYTES, LegacyCommand, LegacyKey, LegacyRequest};
use crate::client::{ClientError, Link, STEP_TIMEOUT, open_stream};
use crate::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Connects, asks once, and hangs up. `iv` must be random, and never used twice.
///
/// # Errors
/// [`ClientError`] in words that an admin can act on; [`ClientError::AnsweredFail`] is all that the
/// original tells of its reasons.
pub async fn exchange(
    link: &Link,
    command: LegacyCommand,
    iv: [u8; IV_BYTES],
) -> Result<(), ClientError> {
    let request = LegacyRequest {
        api_key: Secret::new(&link.api_key),
        command,
    };
    let blob = LegacyKey::derive(&Secret::new(&link.aes_key))
        .seal(iv, &request.to_json())
        .map_err(|_| ClientError::RequestTooLong)?;
    let mut stream = open_stream(link).await?;
    timeout(STEP_TIMEOUT, converse(&mut stream, &blob))
        .await
        .map_err(|_| ClientError::AnswerTimeout)?
}

/// Leaves its own side open: to the original, the end of the request would be the end of it all.
async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    blob: &str,
) -> Result<(), ClientError> {
    let sent = async {
        stream.write_all(blob.as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(|_| ClientError::NoAnswer)?;
    let mut answer = Vec::new();
    loop {
        let mut chunk = [0; 64];
        match stream.read(&mut chunk).await {
            Ok(received @ 1..) => answer.extend_from_slice(&chunk[..received]),
            Ok(0) | Err(_) => return Err(ClientError::NoAnswer),
        }
        match answer.as_slice() {
            ANSWER_OK => return Ok(()),
            ANSWER_FAIL => return Err(ClientError::AnsweredFail),
            part if ANSWER_OK.starts_with(part) || ANSWER_FAIL.starts_with(part) => {}
            _ => {
                return Err(ClientError::MalformedAnswer(
                    "it is neither OK nor FAIL".into(),
                ));
            }
        }
    }
}
