extension Schema {
  /// A renderId belongs to the attempt that first named it.
  ///
  /// Says itself what the key of the table would, because OR REPLACE and OR IGNORE go past that.
  static let fence = """
    CREATE TRIGGER render_ids_append BEFORE INSERT ON render_ids
    WHEN EXISTS (SELECT 1 FROM render_ids WHERE id = NEW.id AND render_id = NEW.render_id) BEGIN
      SELECT RAISE (ABORT, 'this renderId is of another attempt');
    END;

    """
}
