public import JSON

/// A message as JSON-RPC 2.0 knows them, with its params still as they came.
public enum Message: Sendable {
  case request(Request)
  case notification(Notification)
  /// Something shaped like a response; nothing was asked, so it answers nothing.
  case response

  public struct Request: Sendable {
    public let id: RequestID
    public let method: String
    public let params: Params
  }

  public struct Notification: Sendable {
    public let method: String
    public let params: Params
  }

  /// The `params` member: an object, `{}` where it is absent or null, or of no use.
  public enum Params: Sendable {
    case named(JSONObject)
    /// An array or a scalar.
    case unusable
    /// What the application has made of them.
    case read(any ReadParams)
  }
}

/// What an application makes of a method's params.
public protocol ReadParams: AnyObject, Sendable {}

/// Makes of a method's params what its handling needs; nil leaves them as they are.
///
/// It runs on the thread that reads the lines, which has time for it.
public typealias ParamsReading =
  @Sendable (_ method: String, _ params: Message.Params) -> (any ReadParams)?

/// A line, or an element of a batch, that is no message.
public struct InvalidMessage: Error, Sendable {
  public enum Reason: Sendable {
    /// The line is not JSON in UTF-8; why.
    case unreadable(String)
    /// It is JSON, but no request; why.
    case notARequest(String)
  }

  public let reason: Reason
  /// The id to answer with, null where none could be recovered.
  public let id: RequestID

  init(_ reason: Reason, id: RequestID = .null) {
    self.reason = reason
    self.id = id
  }
}
