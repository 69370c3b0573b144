import JSON
import JSONRPC
import RenderProtocol
import Support

/// Params as they come out of a message.
func messageParams(_ text: String) throws -> Message.Params {
  guard case .object(let object) = try JSON(reading: text) else { return .unusable }
  return .named(object)
}

/// Reads the params of a method.
func read<M: Method>(_ method: M.Type, _ params: String) throws -> M.Params {
  try M.read(ParamsReader(messageParams(params)))
}

/// Where and why a method refuses params; nil where it takes them.
func refusal(of method: any Method.Type, _ params: String) throws -> InvalidParams? {
  func attempt<M: Method>(_ method: M.Type) throws -> InvalidParams? {
    do {
      _ = try read(method, params)
      return nil
    } catch let error as InvalidParams {
      return error
    }
  }
  return try attempt(method)
}

/// The path at which a method refuses params; nil where it takes them.
func refusedPath(of method: any Method.Type, _ params: String) throws -> String? {
  try refusal(of: method, params)?.path
}
