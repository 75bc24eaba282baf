/* Memory: zeroing, copies, ownership, and abort where memory is out (linked with --wrap=calloc,realloc). */
#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool memory_is_out;

void *__wrap_calloc(size_t n, size_t size)
{
    return memory_is_out ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return memory_is_out ? NULL : __real_realloc(old, size);
}

struct point {
    int x;
    int y;
};

static void new_objects_are_zero(void **state)
{
    struct point *p = xnew(struct point);
    struct point *many = xnew_n(struct point, 3);
    void *none = xcalloc(0, 0);

    (void)state;
    assert_int_equal(p->x | p->y, 0);
    assert_int_equal(many[2].x | many[2].y, 0);
    assert_non_null(none);
    free(p);
    free(many);
    free(none);
}

static void realloc_keeps_the_bytes(void **state)
{
    char *p = xrealloc(NULL, 4, 1);

    (void)state;
    memcpy(p, "abc", 4);
    p = xrealloc(p, 1000, 4);
    assert_string_equal(p, "abc");
    p = xrealloc(p, 0, 1); /* still an object of ours, not freed */
    assert_non_null(p);
    free(p);
}

static void copies(void **state)
{
    char *whole = xstrdup("text");
    char *part = xstrndup("text", 2);
    char *more = xstrndup("text", 100);
    char *made = xasprintf("%s-%d", "a", 5);

    (void)state;
    assert_string_equal(whole, "text");
    assert_string_equal(part, "te");
    assert_string_equal(more, "text");
    assert_string_equal(made, "a-5");
    assert_null(xstrdup(NULL));
    assert_null(xstrndup(NULL, 3));
    free(whole);
    free(part);
    free(more);
    free(made);
}

static char *make_and_take(void)
{
    autofree char *text = xstrdup("kept");
    autofree char *unused = xstrdup("freed by the scope");

    (void)unused;
    return steal_ptr(text);
}

static void a_stolen_pointer_survives_its_scope(void **state)
{
    char *text = make_and_take();

    (void)state;
    assert_string_equal(text, "kept");
    free(text);
}

/* Run what must abort in a child, quietly, and see that it died of just that. */
static bool aborts(void (*what)(void))
{
    const struct rlimit no_core = {0, 0};
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static volatile size_t huge = SIZE_MAX / 2;

static void calloc_fails(void)
{
    memory_is_out = true;
    free(xcalloc(1, 1));
}

static void realloc_fails(void)
{
    memory_is_out = true;
    free(xrealloc(NULL, 1, 1));
}

static void realloc_overflows(void)
{
    free(xrealloc(NULL, huge, 3));
}

static void realloc_is_too_large(void)
{
    free(xrealloc(NULL, huge + 1, 1));
}

static void strdup_fails(void)
{
    memory_is_out = true;
    free(xstrdup("x"));
}

static void asprintf_fails(void)
{
    memory_is_out = true;
    free(xasprintf("x"));
}

static void works(void)
{
    free(xasprintf("x"));
}

static void out_of_memory_aborts(void **state)
{
    (void)state;
    assert_true(aborts(calloc_fails));
    assert_true(aborts(realloc_fails));
    assert_true(aborts(realloc_overflows));
    assert_true(aborts(realloc_is_too_large));
    assert_true(aborts(strdup_fails));
    assert_true(aborts(asprintf_fails));
    assert_false(aborts(works));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_objects_are_zero),
        cmocka_unit_test(realloc_keeps_the_bytes),
        cmocka_unit_test(copies),
        cmocka_unit_test(a_stolen_pointer_survives_its_scope),
        cmocka_unit_test(out_of_memory_aborts),
    };

    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
