/* A visitor who does not wait: asks at fixed moments over keep-alive connections, and times each answer from the
 * moment its request was due, not from when it could be sent. A server that stands still for a second is thereby late
 * for all that was due in that second; a client that waited for each answer would see one late answer and no more.
 *
 * openloop PORT RATE LEAD SECONDS GRACE CONNECTIONS: asks for LEAD + SECONDS and gives the last answers GRACE seconds;
 * what was due in LEAD is not reported. Prints one JSON object, with all times in seconds. openloop.py is its twin.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 8192, IDLE = -1 };
static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
static const double UNANSWERED = -1.0, FAILED = -2.0;

struct connection {
    int fd;
    long asked; /* number of the request that is under way, or IDLE */
    size_t held;
    char answer[ROOM];
};

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec + moment.tv_nsec / 1e9;
}

static int dial(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 1}; /* of connect and send: a frozen server must not freeze us */
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1; /* poll() takes no notice of it, and send() fails */
}

/* 1: a whole answer has come; 0: not yet; -1: it is not one that we want. */
static int is_whole(const struct connection *one) {
    const char *end = strstr(one->answer, "\r\n\r\n"), *line;
    if (!end) return one->held < ROOM - 1 ? 0 : -1;
    if (strncmp(one->answer, "HTTP/1.1 200", 12) != 0) return -1;
    for (line = one->answer; (line = strstr(line, "\r\n")) && line < end;) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            return one->held >= (size_t)(end + 4 - one->answer) + strtoul(line + 15, NULL, 10);
    }
    return -1;
}

static void print_list(const char *name, const double *figures, long count) {
    printf("\"%s\": [", name);
    for (long i = 0, written = 0; i < count; i++)
        if (figures[i] >= 0) printf("%s%.6f", written++ ? ", " : "", figures[i]);
    printf("]");
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int port = atoi(argv[1]), crowd = atoi(argv[6]);
    double rate = atof(argv[2]), lead = atof(argv[3]), seconds = atof(argv[4]), grace = atof(argv[5]);
    long count = (long)(rate * (lead + seconds) + 0.5), skipped = (long)(rate * lead + 0.5);
    struct connection *crew = calloc(crowd, sizeof *crew);
    struct pollfd *watched = calloc(crowd, sizeof *watched);
    double *latencies = calloc(count, sizeof *latencies), *own = calloc(count, sizeof *own);
    if (!crew || !watched || !latencies || !own) return 1;

    setpriority(PRIO_PROCESS, 0, -10); /* where it is allowed: our own lateness would be taken for the server's */
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (int i = 0; i < crowd; i++) crew[i] = (struct connection){.fd = dial(port), .asked = IDLE};
    for (long i = 0; i < count; i++) latencies[i] = own[i] = UNANSWERED;

    double start = now() + 0.01, deadline = start + lead + seconds + grace;
    long next = 0, settled = 0;
    int idle = crowd, was_waiting = 0; /* was_waiting: for the moment that the next request is due */
    for (double moment = now(); settled < count && moment < deadline; moment = now()) {
        for (int i = 0; i < crowd && next < count && start + next / rate <= moment; i++) {
            if (crew[i].asked != IDLE) continue;
            if (was_waiting) own[next] = moment - (start + next / rate);
            if (crew[i].fd < 0) crew[i].fd = dial(port);
            crew[i].asked = next++, crew[i].held = 0, idle--;
            if (send(crew[i].fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) == (ssize_t)sizeof REQUEST - 1) continue;
            latencies[crew[i].asked] = FAILED, crew[i].asked = IDLE, idle++, settled++;
            if (crew[i].fd >= 0) close(crew[i].fd);
            crew[i].fd = -1;
        }
        was_waiting = idle > 0 && next < count && start + next / rate > moment;
        double until = was_waiting ? start + next / rate : deadline;
        if (idle > 0 && next < count && !was_waiting) until = moment; /* more is due already */
        double rest = until - now() > 0 ? until - now() : 0;
        struct timespec timeout = {.tv_sec = (time_t)rest, .tv_nsec = (long)((rest - (time_t)rest) * 1e9)};
        for (int i = 0; i < crowd; i++) watched[i] = (struct pollfd){.fd = crew[i].fd, .events = POLLIN};
        if (ppoll(watched, crowd, &timeout, NULL) <= 0) continue;
        for (int i = 0; i < crowd; i++) {
            if (!watched[i].revents) continue;
            struct connection *one = &crew[i];
            ssize_t got = recv(one->fd, one->answer + one->held, ROOM - 1 - one->held, MSG_DONTWAIT);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            int verdict = -1;
            if (got > 0) {
                one->held += got, one->answer[one->held] = 0;
                verdict = one->asked == IDLE ? -1 : is_whole(one);
            }
            if (verdict == 0) continue;
            if (one->asked != IDLE) {
                latencies[one->asked] = verdict > 0 ? now() - (start + one->asked / rate) : FAILED;
                one->asked = IDLE, idle++, settled++;
            }
            if (verdict < 0) close(one->fd), one->fd = -1;
        }
    }

    long failed = 0, unanswered = 0;
    for (long i = skipped; i < count; i++) failed += latencies[i] == FAILED, unanswered += latencies[i] == UNANSWERED;
    printf("{");
    print_list("latencies", latencies + skipped, count - skipped);
    printf(", ");
    print_list("own", own + skipped, count - skipped);
    printf(", \"unanswered\": %ld, \"failed\": %ld}\n", unanswered, failed);
    return 0;
}
