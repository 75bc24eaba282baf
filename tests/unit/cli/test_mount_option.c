/* --mount: how it is read, and what is refused, by a guard that the test makes up. */
#include "cli/mount_option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/plan.h"
#include "../unit.h"

static char dir[] = "/tmp/cellblock-unit-XXXXXX";

/* "dir/name", of which eight can be in use at once. */
static const char *in(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s%s", dir, name);
    return path;
}

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), file = -1;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(in("/a"), 0700), 0);
    assert_int_equal(mkdir(in("/a,b"), 0700), 0);
    assert_int_equal(symlink("a", in("/link")), 0);
    file = open(in("/file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(mkfifo(in("/fifo"), 0600), 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"/link", "/file", "/fifo", "/socket"}, *const dirs[] = {"/a", "/a,b", ""};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        (void)unlink(in(files[i]));
    for (size_t i = 0; i < 3; i++)
        (void)rmdir(in(dirs[i]));
    return 0;
}

/* ---- reading ---- */

static void check_parse(const char *text, const char *source, const char *target, bool writable)
{
    struct sandbox_mount m;
    struct err e = ERR_INIT;

    assert_int_equal(mount_parse("--mount", text, &m, &e), 0);
    assert_string_equal(m.source, source);
    assert_string_equal(m.target, target);
    assert_int_equal(m.writable, writable);
    mount_fini(&m);
}

static void test_parse(void **state)
{
    autofree char *here = getcwd(NULL, 0);
    char text[600];

    (void)state;
    (void)snprintf(text, sizeof text, "%s:/data", in("/a"));
    check_parse(text, in("/a"), "/data", false);
    (void)snprintf(text, sizeof text, "%s:/data:rw", in("/a"));
    check_parse(text, in("/a"), "/data", true);
    (void)snprintf(text, sizeof text, "%s:/data:ro", in("/a"));
    check_parse(text, in("/a"), "/data", false);
    check_parse(in("/a"), in("/a"), in("/a"), false);
    (void)snprintf(text, sizeof text, "%s:rw", in("/file"));
    check_parse(text, in("/file"), in("/file"), true);
    /* A link: what it leads to is shared, where it was asked for. */
    check_parse(in("/link"), in("/a"), in("/link"), false);
    (void)snprintf(text, sizeof text, "%s/../a//:///data//x/", in("/a"));
    check_parse(text, in("/a"), "/data/x", false);
    check_parse(in("/a,b"), in("/a,b"), in("/a,b"), false);
    assert_int_equal(chdir(dir), 0);
    check_parse("a", in("/a"), in("/a"), false);
    check_parse("./a:/x", in("/a"), "/x", false);
    assert_int_equal(chdir(here), 0);
}

static void check_refused(const char *text, const char *says)
{
    struct sandbox_mount m = {"untouched", NULL, false, false};
    struct err e = ERR_INIT;

    assert_int_equal(mount_parse("--mount", text, &m, &e), -EINVAL);
    assert_non_null(strstr(e.text, says));
    assert_true(strncmp(e.text, "--mount ", 8) == 0);
    assert_string_equal(m.source, "untouched");
}

static void test_parse_errors(void **state)
{
    char text[600], longer[5000];

    (void)state;
    check_refused("", "HOST:GUEST");
    check_refused(":/data", "HOST:GUEST");
    check_refused("/a:/b:rw:/c", "HOST:GUEST");
    check_refused("/does/not/exist:/x", "no such file or directory");
    check_refused("~/data", "whole path");
    check_refused("/a:/b,/c:/d", "what follows the second colon");
    check_refused("/does/not,/exist", "one a line");
    (void)snprintf(text, sizeof text, "%s:data", in("/a"));
    check_refused(text, "absolute path");
    (void)snprintf(text, sizeof text, "%s:", in("/a"));
    check_refused(text, "absolute path");
    (void)snprintf(text, sizeof text, "%s:/x:rx", in("/a"));
    check_refused(text, "rw, not 'rx'");
    check_refused(in("/socket"), "not a socket");
    check_refused(in("/fifo"), "not a pipe");
    check_refused("/dev/null", "not a device");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    longer[0] = '/';
    check_refused(longer, "on this machine");
}

/* ---- checking ---- */

static const struct mount_guard guard = {
    .runtime = (char *)"/tmp",
    .session_runtime = (char *)"/srv/run/1000",
    .sockets = {(char *)"/srv/agent/ssh.sock"},
    .home = (char *)"/home/me",
    .program = (char *)"/opt/tools/bin/cellblock",
    .python = {(char *)"/home/me/env/bin", (char *)"/home/me/env/lib"},
    .future_python = (char *)"/home/me/project/.venv",
};

static int check(const char *source, bool writable, struct err *e)
{
    struct sandbox_mount m = {source, "/data", writable, false};

    *e = (struct err)ERR_INIT;
    return mount_check(&guard, "--mount", &m, e);
}

static void test_never(void **state)
{
    static const char *const sources[] = {
        "/",
        "/proc",
        "/proc/1/root",
        "/sys",
        "/sys/fs/cgroup",
        "/dev",
        "/dev/shm",
        "/run",
        "/run/user/1000",
        "/var/run",
        "/tmp",
        "/tmp/cellblock-abc123",
        "/tmp/cellblock-abc123/xy",
        "/srv/run/1000",
        "/srv/run/1000/x",
        "/srv/run",
        "/srv",
        "/srv/agent",
        "/srv/agent/ssh.sock",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        assert_int_equal(check(sources[i], false, &e), -EPERM);
        assert_non_null(strstr(e.text, sources[i]));
        assert_non_null(strstr(e.text, " is refused: "));
        assert_int_equal(check(sources[i], true, &e), -EPERM);
    }
}

static void test_never_written(void **state)
{
    static const char *const sources[] = {
        "/usr",
        "/usr/local/share/x",
        "/etc",
        "/etc/cron.d",
        "/boot",
        "/lib64",
        "/var",
        "/var/lib",
        "/var/spool/cron",
        "/home",
        "/home/me",
        "/home/me/.ssh",
        "/home/me/.bashrc",
        "/home/me/.cache",
        "/home/me/.local/share/x",
        "/home/me/.config/x",
        "/home/me/.local/bin",
        "/opt",
        "/opt/tools",
        "/opt/tools/bin",
        "/opt/tools/bin/cellblock",
        "/home/me/env",
        "/home/me/env/lib",
        "/home/me/env/lib/python3.12/site-packages",
        "/home/me/env/bin/python",
        "/home/me/project",
        "/home/me/project/.venv/lib",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        assert_int_equal(check(sources[i], false, &e), 0);
        assert_int_equal(check(sources[i], true, &e), -EPERM);
        assert_non_null(strstr(e.text, "--mount "));
        assert_true(strstr(e.text, ":rw away") || strstr(e.text, "--python"));
    }
}

static void test_allowed(void **state)
{
    static const char *const sources[] = {
        "/data",
        "/home/me/data",
        "/home/me/project/data",
        "/home/meyer",
        "/procs",
        "/tmp/x",
        "/tmp/cellblock-data",
        "/tmp/cellblock-abc12",
        "/run/media/me/disk",
        "/srv/data",
        "/opt/tools/share",
        "/home/me/env/share",
        "/var/lib/data",
        "/usrlocal",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        for (int writable = 0; writable < 2; writable++) {
            assert_int_equal(check(sources[i], writable, &e), 0);
            assert_string_equal(e.text, "");
        }
}

/* Nothing is known: what does not depend on it is guarded all the same. */
static void test_empty_guard(void **state)
{
    static const struct mount_guard none;
    struct sandbox_mount root = {"/", "/x", false, false}, data = {"/data", "/x", true, false},
                         usr = {"/usr", "/x", true, false};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(mount_check(&none, "--mount", &root, &e), -EPERM);
    assert_int_equal(mount_check(&none, "--mount", &usr, &e), -EPERM);
    assert_int_equal(mount_check(&none, "--mount", &data, &e), 0);
}

/* The guard by the environment of this process. */
static void test_guard(void **state)
{
    struct mount_guard found;
    int seen = 0;

    (void)state;
    assert_int_equal(setenv("TMPDIR", in("/link"), 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", in("/a,b"), 1), 0);
    assert_int_equal(setenv("SSH_AUTH_SOCK", in("/socket"), 1), 0);
    assert_int_equal(setenv("DOCKER_HOST", "tcp://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("HOME", in("/a"), 1), 0);
    mount_guard_init(&found, NULL, NULL, dir);
    assert_string_equal(found.runtime, in("/a"));
    assert_string_equal(found.session_runtime, in("/a,b"));
    assert_string_equal(found.sockets[0], in("/socket"));
    assert_null(found.sockets[1]);
    assert_string_equal(found.home, in("/a"));
    assert_non_null(strstr(found.program, "test_cli_mount_option"));
    assert_string_equal(found.future_python, in("/.venv"));
    mount_guard_fini(&found);
    mount_guard_init(&found, in("/some/env/bin/python"), NULL, dir);
    assert_null(found.future_python);
    mount_guard_fini(&found);
    assert_int_equal(setenv("XDG_CACHE_HOME", in("/a,b"), 1), 0);
    mount_guard_init(&found, in("/a/python"), NULL, dir); /* its directory is there */
    for (size_t i = 0; i < MOUNT_PYTHON_MAX && found.python[i]; i++)
        seen += strcmp(found.python[i], in("/lib")) == 0 || strcmp(found.python[i], in("/a,b")) == 0;
    assert_int_equal(seen, 2);
    mount_guard_fini(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),         cmocka_unit_test(test_parse_errors), cmocka_unit_test(test_never),
        cmocka_unit_test(test_never_written), cmocka_unit_test(test_allowed),      cmocka_unit_test(test_empty_guard),
        cmocka_unit_test(test_guard),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
