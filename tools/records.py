"""What models of all stages ask about a record and its fields."""


def label_of(record, name):
    """The label of a selection field's value, in the language of the record's environment; '' where
    the field is empty."""
    return dict(record._fields[name]._description_selection(record.env)).get(record[name], '')


def labels(model, names):
    """The labels of these fields of a model, in the language of its environment, as one text."""
    return ", ".join(
        sorted(
            model._fields[name]._description_string(model.env) if name in model._fields else name
            for name in names
        )
    )


def changes(record, values):
    """Those of the values (ids for many2one) that the record does not have yet."""
    return {name: value for name, value in values.items() if _differs(record, name, value)}


def _differs(record, name, value):
    field = record._fields[name]
    if hasattr(field, 'differs'):
        return field.differs(record, value)
    return (record[name].id if field.type == 'many2one' else record[name]) != value


def trigram(definition):
    """The definition of an index that is made only where the database has pg_trgm. Without the
    index the search gives the same, only slower."""
    return lambda registry: definition if registry.has_trigram else ''
