/* jobs/context/signals.c - handlers that ask for a stop. */
#include "jobs/context/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static void on_signal(int number)
{
    (void)number;
    orr_stop_request();
}

void orr_signals_catch(void (*handler)(int))
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP };
    struct sigaction action, before;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], NULL, &before);
        if (before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* then write says EFBIG */
}

void orr_stop_on_signals(void)
{
    orr_signals_catch(on_signal);
}
