public import JSON
public import RenderModel

extension JSONWriter {
  /// A Change on the wire: one row of the log.
  public mutating func change(_ change: Change) {
    beginObject()
    key("seq")
    integer(change.seq)
    key("id")
    string(change.id)
    key("event")
    string(change.event.rawValue)
    key("previousState")
    string(change.previousState.rawValue)
    key("state")
    string(change.state.rawValue)
    key("progress")
    number(change.progress)
    key("renderId")
    string(change.renderID)
    key("bucketName")
    string(change.bucketName)
    key("videoUrl")
    string(change.videoURL)
    key("error")
    string(change.error)
    key("metadata")
    if let metadata = change.metadata { raw(metadata) } else { null() }
    key("run")
    integer(change.run)
    key("attempt")
    integer(change.attempt)
    key("version")
    integer(change.version)
    key("actor")
    string(change.actor)
    key("at")
    time(change.at)
    endObject()
  }

  /// The statuses of several renders.
  mutating func statuses(_ renders: [Render]) {
    beginArray()
    for render in renders { Status(render).write(to: &self) }
    endArray()
  }
}
