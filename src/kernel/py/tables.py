"""pandas: a DataFrame or Series as text that is wide enough to read and short enough to send."""

import sys

CHARS_MAX = 12000
WIDTH = 200
COLUMNS = 20


def hook_pandas(pandas):
    """pandas has been imported: print(df) wraps at 200 characters, not at the 80 of a terminal that is not there."""
    if pandas.get_option("display.width") == 80:
        pandas.set_option("display.width", WIDTH)
    if pandas.get_option("display.max_columns") == 0:
        pandas.set_option("display.max_columns", COLUMNS)


def _option(name):
    return sys.modules["pandas"].get_option(name)


def frame(df):
    """Each row on one line. The user's own options hold; with the defaults a large frame is cut to what fits."""
    columns = _option("display.max_columns")
    rows = _option("display.max_rows")
    least = _option("display.min_rows")
    chosen = (columns, rows) != (COLUMNS, 60)
    text = _frame_text(df, rows, least, columns)
    if len(text) > CHARS_MAX and not chosen:
        for rows, columns in ((20, COLUMNS), (10, COLUMNS), (10, 10)):
            text = _frame_text(df, rows, min(least or rows, rows), columns)
            if len(text) <= CHARS_MAX:
                break
    return [("text/plain", text)]


def _frame_text(df, rows, least, columns):
    if rows is not None and rows > 0 and len(df) > rows:
        shown = min(least or rows, rows)
    else:
        shown = None
    text = df.to_string(max_rows=shown, max_cols=columns or None, line_width=None)
    cut = (shown is not None and len(df) > shown) or (columns and df.shape[1] > columns)
    if cut and "\n\n[" not in text[-60:]:
        text += "\n\n[%d rows x %d columns]" % df.shape
    return text


def series(s):
    return [("text/plain", repr(s))]


def styler(style):
    """Colours say nothing here: the data, with the number formats that were asked for."""
    data = style.data
    try:
        if data.size <= 20000:
            table = data.astype(object)
            for (row, column), function in list(style._display_funcs.items()):
                table.iat[row, column] = function(data.iat[row, column])
            return frame(table)
    except Exception:  # private to pandas, and so it may change
        pass
    return frame(data)
