internal import JSON
internal import RenderModel

extension ParamsReader {
  /// The `context` of an event; what does not go with the event is refused.
  func context(for event: Event) throws(InvalidParams) -> Context {
    guard let reader = try optionalObject("context") else { return Context() }
    try reader.allow("renderId", "bucketName", "progress", "videoUrl", "error", "metadata")
    var context = Context()
    context.renderID = try reader.optionalIdentifier("renderId")
    context.bucketName = try reader.optionalIdentifier("bucketName")
    context.progress = try reader.optionalNumber("progress", in: 0...100)
    context.videoURL = try reader.optionalText("videoUrl", bytes: 1...TextLimit.videoURLBytes)
    context.error = try reader.optionalFreeText("error").map(TextLimit.cutError)
    context.metadata = try reader.metadata("metadata")
    if context.progress != nil, event != .progress {
      throw reader.invalid("progress", "it goes with the event progress only")
    }
    if context.videoURL != nil, event != .complete {
      throw reader.invalid("videoUrl", "it goes with the event complete only")
    }
    if context.error != nil, event != .fail, event != .cancel {
      throw reader.invalid("error", "it goes with the events fail and cancel only")
    }
    return context
  }

  private func metadata(_ name: String) throws(InvalidParams) -> MetadataChange? {
    guard let object = try optionalRawObject(name) else { return nil }
    let json = JSON.object(object)
    guard json.depth <= Metadata.maximumDepth else {
      throw invalid(name, "it must have at most \(Metadata.maximumDepth) levels")
    }
    guard json.isRepresentable else {
      throw invalid(name, "it holds a number beyond what a double holds")
    }
    let change = MetadataChange(object)
    guard change.text.utf8.count <= Metadata.maximumBytes else {
      let bytes = change.text.utf8.count
      throw invalid(
        name,
        "it must have at most \(Metadata.maximumBytes) bytes as compact JSON, it has \(bytes)"
      )
    }
    return change
  }

  /// The clocks of a start: as given, 0 for off, nil where nothing was given.
  func timeouts(for event: Event) throws(InvalidParams) -> RequestedTimeouts {
    guard let reader = try optionalObject("timeouts") else { return RequestedTimeouts() }
    try reader.allow("queuedMs", "stallMs", "totalMs")
    let range = 0...Self.maximumMilliseconds
    let timeouts = RequestedTimeouts(
      queued: try reader.optionalInteger("queuedMs", in: range),
      stall: try reader.optionalInteger("stallMs", in: range),
      total: try reader.optionalInteger("totalMs", in: range)
    )
    guard event == .start else {
      throw invalid("timeouts", "they go with the event start only")
    }
    return timeouts
  }

  /// The optimistic lock's part of the params.
  func expectations() throws(InvalidParams) -> Expectations {
    Expectations(
      version: try optionalInteger("expectedVersion"),
      state: try optionalState("expectedState"),
      attempt: try optionalInteger("expectedAttempt")
    )
  }
}

/// The clocks a host asks for with a start, in milliseconds: 0 is off, nil leaves it to the flags.
public struct RequestedTimeouts: Sendable {
  public var queued: Int64?
  public var stall: Int64?
  public var total: Int64?
}
