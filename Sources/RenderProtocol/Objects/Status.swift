public import JSON
public import RenderModel

/// A Status on the wire: the render as it stands.
public struct Status: WireValue {
  public let render: Render

  public init(_ render: Render) {
    self.render = render
  }

  public func write(to writer: inout JSONWriter) {
    let wasStarted = render.version > 0
    writer.beginObject()
    writer.key("id")
    writer.string(render.id)
    writer.key("state")
    writer.string(render.state.rawValue)
    writer.key("progress")
    writer.number(render.progress)
    writer.key("renderId")
    writer.string(render.renderID)
    writer.key("bucketName")
    writer.string(render.bucketName)
    writer.key("videoUrl")
    writer.string(render.videoURL)
    writer.key("error")
    writer.string(render.error)
    writer.key("metadata")
    writer.raw(render.metadata.text)
    writer.key("run")
    writer.integer(render.run)
    writer.key("attempt")
    writer.integer(render.attempt)
    writer.key("version")
    writer.integer(render.version)
    writer.key("lastEvent")
    writer.string(render.lastEvent?.rawValue)
    writer.key("processingStatus")
    writer.string(render.state.processingStatus)
    writer.key("seq")
    writer.integer(render.seq)
    writer.key("createdAt")
    writer.time(wasStarted ? render.createdAt : nil)
    writer.key("updatedAt")
    writer.time(wasStarted ? render.updatedAt : nil)
    writer.endObject()
  }
}
