/* What all families of problems share: how they ask the library to run, and the families themselves. */
#ifndef CORPUS_H
#define CORPUS_H

#include <closs.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Every call of the library is made with these. */
extern closs_isa isa;
extern int threads;

/* Each prints a line for each of its problems. */
void run_losses(void);
void run_weight_maps(void);
void run_metrics(void);
void run_distance_maps(void);
void run_layouts(void);
void run_scales(void);
void run_binarization(void);

#endif
