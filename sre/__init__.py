"""The game-day framework: chaos, SLO burn, incidents, runbooks, reports and cost over a serving platform."""
