/*
 * Log lines for the person who runs the server: to stderr only (stdout belongs to the protocol), one write(2) each,
 * never blocking: a host that does not read stderr must not stop the server, so a line that does not fit is dropped.
 * No user code and no tokens in a log line.
 */
#ifndef CELLBLOCK_BASE_LOG_H
#define CELLBLOCK_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_MAX };

void log_set_level(enum log_level level); /* default LOG_WARN */

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
