/* cellblock sessions: what runs in this user's servers. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/copy.h"
#include "server/control_wire.h"

static void print_idle(char *ret, size_t size, const char *idle_ms, const char *state)
{
    long long seconds = atoll(idle_ms) / 1000;

    if (strcmp(state, "busy") == 0)
        (void)snprintf(ret, size, "-");
    else if (seconds < 120)
        (void)snprintf(ret, size, "%lld s", seconds);
    else
        (void)snprintf(ret, size, "%lld min", seconds / 60);
}

static void print_line(char *line, pid_t server)
{
    char *fields[CONTROL_LIST_FIELDS], idle[32], shown[COPY_SHOWN];
    size_t n = 0;

    if (line[0] == '+') {
        (void)printf("and %s more in server %d\n", copy_shown(line + 1, shown), (int)server);
        return;
    }
    for (char *field; n < CONTROL_LIST_FIELDS && (field = strsep(&line, "\t")) != NULL;)
        fields[n++] = field;
    if (n < CONTROL_LIST_FIELDS)
        return;
    print_idle(idle, sizeof idle, fields[3], fields[2]);
    (void)printf("%-8.8s %-9.9s %-6.6s %-10s %-6.6s %-8d %s\n", fields[0], fields[1], fields[2], idle, fields[4],
                 (int)server, copy_shown(fields[5], shown));
}

static void print_sessions(char *text, pid_t server, bool *titled)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        if (!*line)
            continue;
        if (!*titled)
            (void)printf("%-8s %-9s %-6s %-10s %-6s %-8s %s\n", "SESSION", "MODE", "STATE", "IDLE", "FILES", "SERVER",
                         "DIRECTORY");
        *titled = true;
        print_line(line, server);
    }
}

int command_list_sessions(void)
{
    struct control_servers servers;
    bool titled = false, failed = false;
    size_t n = 0;

    control_servers_find(&servers);
    for (size_t i = 0; i < servers.n; i++) {
        struct control_answer answer = CONTROL_ANSWER_INIT;
        struct err e = ERR_INIT;
        int r = control_ask(servers.directories[i], "list", "", "", &answer, &e);

        if (r == 0 && answer.word == CONTROL_OK) {
            n++;
            print_sessions(answer.text, answer.pid, &titled);
        } else if (r != -ECONNREFUSED) {
            failed = true;
            (void)fprintf(stderr, "cellblock: %s\n", r < 0 ? e.text : answer.text);
        }
        control_answer_fini(&answer);
    }
    control_servers_fini(&servers);
    if (!titled && !failed)
        (void)printf("%s\n", n ? "No session." : "No session: no cellblock server of yours runs here.");
    return failed ? EXIT_CODE_FAILED : 0;
}
