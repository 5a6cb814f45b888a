// Cameras of this device, and why one cannot be used, in plain words.

export class CameraTrouble extends Error {}

const WORDS = {
  NotAllowedError: "This page may not use the camera. Allow it at the camera sign in the address bar, or in the settings of this device, then start again.",
  NotFoundError: "No camera was found. Connect one, then start again.",
  OverconstrainedError: "That camera is gone. Choose another one, then start again.",
  NotReadableError: "The camera does not start. Close other programs that use it, then start again.",
  AbortError: "The camera does not start. Close other programs that use it, then start again.",
  SecurityError: "This browser forbids the use of cameras. Allow it in its settings, then start again.",
};
const INSECURE = "Browsers lend the camera only to pages of this machine or over HTTPS. Open this page at http://localhost, or put HTTPS before the service.";

/** Start a camera: a `MediaStream` with one video track. Without `id`, the camera that the browser prefers. */
export async function openCamera(id) {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraTrouble(INSECURE);
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const video = id ? { ...size, deviceId: { exact: id } } : { ...size, facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw new CameraTrouble(WORDS[error.name] ?? `The camera does not start: ${error.message || error.name}.`);
  }
}

export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** All cameras, as `[[id, name], ...]`; names are known once a camera was allowed. */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId, label }, place) => [deviceId, label || `Camera ${place + 1}`]);
}
