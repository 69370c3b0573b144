internal import JSON

/// What one line holds.
enum LineContent {
  case blank
  case one(Result<Message, InvalidMessage>)
  /// The elements of a batch array, 1 to `maximumBatchSize`.
  case batch([Result<Message, InvalidMessage>])
}

extension LineContent {
  /// The most requests one array may carry (protocol/README.md, Batches).
  static let maximumBatchSize = 1_000

  /// Reads one line without its end.
  init(line: UnsafeRawBufferPointer, readingParams: ParamsReading = { _, _ in nil }) {
    guard !line.allSatisfy(isWhiteSpace) else {
      self = .blank
      return
    }
    do throws(JSONSyntaxError) {
      let json = try JSON(reading: line)
      guard case .array(let elements) = json else {
        self = .one(Message.read(json, readingParams))
        return
      }
      self = LineContent(elements: elements, readingParams)
    } catch {
      let reason = "\(error.reason), at byte \(error.offset) of the line"
      self = .one(.failure(InvalidMessage(.unreadable(reason))))
    }
  }

  private init(elements: [JSON], _ readingParams: ParamsReading) {
    if elements.isEmpty {
      self = .one(.failure(InvalidMessage(.notARequest("an empty batch"))))
    } else if elements.count > Self.maximumBatchSize {
      let reason = "a batch of \(elements.count), the most are \(Self.maximumBatchSize)"
      self = .one(.failure(InvalidMessage(.notARequest(reason))))
    } else {
      self = .batch(elements.map { Message.read($0, readingParams) })
    }
  }
}

extension Message {
  /// Reads the envelope; members that JSON-RPC does not name are ignored.
  static func read(
    _ json: JSON,
    _ readingParams: ParamsReading
  ) -> Result<Message, InvalidMessage> {
    guard case .object(let envelope) = json else {
      return .failure(InvalidMessage(.notARequest("a message is an object")))
    }
    let idMember = envelope["id"]
    let id = idMember.map(RequestID.init)
    func invalid(_ reason: String) -> Result<Message, InvalidMessage> {
      .failure(InvalidMessage(.notARequest(reason), id: (id ?? .null) ?? .null))
    }
    guard case .string("2.0") = envelope["jsonrpc"] else {
      return invalid(#""jsonrpc" is not "2.0""#)
    }
    guard case .string(let method) = envelope["method"] else {
      let isResponse = envelope["result"] != nil || envelope["error"] != nil
      if envelope["method"] == nil, idMember != nil, isResponse { return .success(.response) }
      return invalid(#""method" is not a string"#)
    }
    func params() -> Params {
      let params: Params =
        switch envelope["params"] {
        case nil, .null: .named(JSONObject())
        case .object(let members): .named(members)
        default: .unusable
        }
      return readingParams(method, params).map(Params.read) ?? params
    }
    switch id {
    case nil:
      return .success(.notification(Notification(method: method, params: params())))
    case .some(nil):
      return invalid(#""id" is not a string, a number that a double holds, or null"#)
    case .some(.some(let id)):
      return .success(.request(Request(id: id, method: method, params: params())))
    }
  }
}

private func isWhiteSpace(_ byte: UInt8) -> Bool {
  byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}
