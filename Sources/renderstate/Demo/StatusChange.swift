internal import JSON

/// A change of a render, as notifications and histories tell it.
struct StatusChange: Sendable {
  let json: JSON

  var seq: Int64 { json["seq"]?.whole ?? 0 }
  var id: String { json["id"]?.text ?? "" }
  var event: String { json["event"]?.text ?? "" }
  var previousState: String { json["previousState"]?.text ?? "" }
  var state: String { json["state"]?.text ?? "" }
  var progress: Double { json["progress"]?.double ?? 0 }
  var renderID: String? { json["renderId"]?.text }
  var bucketName: String? { json["bucketName"]?.text }
  var videoURL: String? { json["videoUrl"]?.text }
  var error: String? { json["error"]?.text }
  var run: Int64 { json["run"]?.whole ?? 0 }
  var attempt: Int64 { json["attempt"]?.whole ?? 0 }
  var actor: String? { json["actor"]?.text }

  /// The time of day with milliseconds, in UTC.
  var timeOfDay: String {
    String((json["at"]?.text ?? "").drop { $0 != "T" }.dropFirst().prefix(12))
  }

  var percent: Int {
    Int(progress.rounded())
  }

  /// What the event carried, for people.
  var what: String {
    var parts: [String] = []
    if event == "start", let renderID {
      parts.append(bucketName.map { "\(renderID) in \($0)" } ?? renderID)
    }
    if let error { parts.append(error) }
    if let videoURL { parts.append(videoURL) }
    if case .object(let metadata)? = json["metadata"], !metadata.members.isEmpty {
      parts.append(JSON.object(metadata).compactText)
    }
    return parts.joined(separator: "  ")
  }

  /// How it ended, in a word or two; the renderId of what has not ended.
  var outcome: String {
    if let error { return error }
    if let videoURL { return String(videoURL.split(separator: "/").last ?? "") }
    return renderID ?? ""
  }
}
