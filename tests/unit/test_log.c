/* Log lines: what they look like, and that a stderr nobody reads never stops the program. */
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "unit.h"

static int real_stderr;
static int reader;

/* stderr of the test becomes a pipe; cmocka's own messages are not written in between. */
static int capture(void **state)
{
    autofd int writer = -1;
    int ends[2];

    (void)state;
    if (fd_pipe(ends) < 0)
        return -1;
    reader = ends[0];
    writer = ends[1];
    real_stderr = dup(STDERR_FILENO);
    return dup2(writer, STDERR_FILENO) < 0 ? -1 : 0;
}

static int release(void **state)
{
    (void)state;
    (void)dup2(real_stderr, STDERR_FILENO);
    fd_close(&real_stderr);
    fd_close(&reader);
    log_set_level(LOG_WARN);
    return 0;
}

/* Everything written so far. */
static const char *taken(void)
{
    static char text[8192];
    ssize_t n = read(reader, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void levels_are_named_and_obeyed(void **state)
{
    (void)state;
    log_error("a %d", 1);
    log_warn("b");
    log_info("c");
    log_debug("d");
    assert_string_equal(taken(), "cellblock: error: a 1\ncellblock: warning: b\n");
    log_set_level(LOG_DEBUG);
    log_info("c");
    log_debug("d");
    assert_string_equal(taken(), "cellblock: info: c\ncellblock: debug: d\n");
    log_set_level(LOG_ERROR);
    log_warn("b");
    assert_string_equal(taken(), "");
}

static void a_line_is_one_line(void **state)
{
    (void)state;
    log_error("x\ny\x1b[2Jz\x7f \xc3\xa9");
    assert_string_equal(taken(), "cellblock: error: x?y?[2Jz? \xc3\xa9\n");
}

static void a_long_line_is_cut_at_a_character(void **state)
{
    char text[4000];
    const char *line;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 2] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        log_error("%s%s", shift ? "x" : "", text);
        line = taken();
        assert_true(strlen(line) > 1000 && strlen(line) <= 1024);
        assert_int_equal(line[strlen(line) - 1], '\n');
        assert_true(utf8_valid(line, strlen(line)));
    }
}

static void errno_is_kept(void **state)
{
    (void)state;
    errno = EBADMSG;
    log_error("%s", "x");
    assert_int_equal(errno, EBADMSG);
    (void)taken();
}

/* Without a reader this would hang for ever. */
static void a_full_pipe_drops_lines(void **state)
{
    char text[1000];
    size_t total = 0;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        log_error("%s", text);
    for (const char *part = taken(); *part; part = taken())
        total += strlen(part);
    assert_true(total > 10000 && total < 1000000);
    log_error("again");
    assert_string_equal(taken(), "cellblock: error: again\n");
}

static void nobody_at_the_other_end(void **state)
{
    (void)state;
    assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL); /* it would kill this test */
    fd_close(&reader);
    log_error("to nobody");
    (void)close(STDERR_FILENO);
    log_error("to nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels_are_named_and_obeyed, capture, release),
        cmocka_unit_test_setup_teardown(a_line_is_one_line, capture, release),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_at_a_character, capture, release),
        cmocka_unit_test_setup_teardown(errno_is_kept, capture, release),
        cmocka_unit_test_setup_teardown(a_full_pipe_drops_lines, capture, release),
        cmocka_unit_test_setup_teardown(nobody_at_the_other_end, capture, release),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
